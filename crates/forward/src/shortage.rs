//! Times in which nothing can be accepted for want of descriptors or memory.
//!
//! Accepting pauses for a moment and is tried again. One line tells of the beginning, at most one
//! in each period, and one of the end: after a second without another failure, since a shortage
//! that comes and goes is still one.

use std::time::{Duration, Instant};

use netnsctl_sys::errno::words;
use rustix::io::Errno;

use crate::context::{Core, Trouble};

/// Time between two attempts to accept.
const PAUSE: Duration = Duration::from_millis(100);

/// Time without a failure after which a shortage is over.
const CALM: Duration = Duration::from_secs(1);

/// Whether there is a shortage, and what was told of it.
#[derive(Debug, Default)]
pub(crate) struct Shortage {
    /// Until when nothing is accepted.
    paused: Option<Instant>,
    /// One that was told of: when it began, and when the last pause ends that it caused so far.
    told: Option<(Instant, Instant)>,
}

impl Shortage {
    /// Whether nothing is to be accepted now.
    pub(crate) fn is_pause(&self) -> bool {
        self.paused.is_some()
    }

    /// Begins a pause, because `step` failed while there were `connections`.
    pub(crate) fn pause(&mut self, step: &str, error: Errno, connections: usize, core: &Core<'_>) {
        let until = core.after(PAUSE);
        self.paused = Some(until);
        if core.shared.is_due(Trouble::Shortage, core.now) {
            core.log(&format!(
                "cannot {step}: {}; {connections} connections go on, trying again every {} ms",
                words(&error),
                PAUSE.as_millis()
            ));
            self.told.get_or_insert((core.now, until));
        }
        if let Some((_, end)) = &mut self.told {
            *end = until;
        }
    }

    /// The next time [`has_passed`](Self::has_passed) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.paused.or(self.told.map(|(_, end)| end + CALM))
    }

    /// Ends a pause whose time has come, and then returns true; tells of the shortage's end.
    pub(crate) fn has_passed(&mut self, core: &Core<'_>) -> bool {
        let passed = self.paused.take_if(|until| *until <= core.now).is_some();
        if self.is_pause() {
            return false;
        }
        if let Some((start, end)) = self.told.take_if(|(_, end)| *end + CALM <= core.now) {
            let lasted = end.duration_since(start).as_secs_f32();
            core.log(&format!("accepting again after {lasted:.1} s"));
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use netnsctl_daemon::Log;

    use super::*;
    use crate::context::Shared;
    use crate::options::Options;

    #[test]
    fn a_shortage_that_comes_and_goes_is_told_as_one() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let mut options = Options::new("127.0.0.1:9".parse().unwrap());
        options.log = Log::new(move |line| sink.lock().unwrap().push(line.to_owned()));
        let shared = Shared::new(options).unwrap();
        let mut core = Core::new(&shared, 0).unwrap();
        let start = core.now;
        let mut shortage = Shortage::default();
        assert_eq!(shortage.deadline(), None);
        for tenths in [0, 1, 2, 8, 15] {
            core.now = start + PAUSE * tenths;
            shortage.has_passed(&core);
            shortage.pause("accept a client", Errno::MFILE, 3, &core);
            assert!(shortage.is_pause());
            assert_eq!(shortage.deadline(), Some(core.now + PAUSE));
            assert!(!shortage.has_passed(&core));
        }
        core.now = start + PAUSE * 16;
        assert!(shortage.has_passed(&core));
        assert!(!shortage.is_pause());
        assert_eq!(lines.lock().unwrap().len(), 1);
        assert_eq!(shortage.deadline(), Some(core.now + CALM));
        core.now += CALM;
        assert!(!shortage.has_passed(&core));
        assert_eq!(shortage.deadline(), None);
        let lines = lines.lock().unwrap();
        assert!(
            lines[0].starts_with("cannot accept a client: "),
            "{lines:?}"
        );
        assert_eq!(lines[1..], ["accepting again after 1.6 s"]);
    }
}
