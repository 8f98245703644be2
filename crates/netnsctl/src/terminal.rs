//! The terminal while a live view has it: a screen of its own, keys as they are typed, and all as
//! it was before once the view ends, in whatever way.
//!
//! Signals are read (signalfd(2)), so nothing interrupts a drawing: Ctrl-C, SIGTERM and a terminal
//! that goes are events that end the view, Ctrl-Z gives the terminal back while the program is
//! stopped. A panic gives it back before it says anything.
//! Sources: console_codes(4), termios(3), the control sequences of xterm.

use std::io::{self, IsTerminal};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Instant;

use netnsctl_sys::errno::words;
use netnsctl_sys::signal::{
    SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH, SignalFd, stop_here,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};

use crate::output::Failure;

/// The alternate screen, cleared, without a cursor, lines cut off at its edge.
const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l\x1b[?7l";

/// The screen that was there before.
const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Columns and rows of a terminal that does not tell: those of a VT100.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// The terminal that was taken; none while nobody has one. A panic has nothing else to find it by.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

struct Taken {
    terminal: OwnedFd,
    /// How it was.
    before: Termios,
}

/// Whether stdout can show a live view.
pub(crate) fn can_draw() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What the owner of a [`Screen`] waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is to end: by a signal, or because the terminal is gone.
    End,
    /// This was typed.
    Input(Vec<u8>),
    /// The time has come.
    Time,
    /// Everything is to be drawn again: the size may be another, or others have drawn meanwhile.
    Spoilt,
    /// The descriptor that was waited for too is readable.
    Woken,
}

/// A terminal that is ours. Given back when dropped.
pub(crate) struct Screen {
    terminal: OwnedFd,
    signals: SignalFd,
    /// Whether keys can be read: stdin is a terminal.
    has_keys: bool,
}

impl Screen {
    /// Takes the terminal that stdout is, and from then on reads the signals that concern it. To be
    /// called before any thread exists.
    pub(crate) fn take() -> Result<Self, Failure> {
        let of_terminal = [SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH];
        let signals = SignalFd::new(&of_terminal)
            .map_err(|error| Failure::failed(format!("cannot read signals: {}", words(&error))))?;
        let terminal = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 0);
        let screen = Self {
            terminal: terminal.map_err(|error| trouble("take", error))?,
            signals,
            has_keys: io::stdin().is_terminal(),
        };
        give_back_at_panic();
        take_terminal(&screen.terminal).map_err(|error| trouble("take", error))?;
        Ok(screen)
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (u16, u16) {
        match tcgetwinsize(&self.terminal) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => USUAL_SIZE,
        }
    }

    /// Shows `bytes`.
    ///
    /// Errors: if the terminal is gone.
    pub(crate) fn draw(&self, bytes: &[u8]) -> io::Result<()> {
        write(&self.terminal, bytes)
    }

    /// Waits for the next event, for `until` at the latest, and for `also` to be readable.
    pub(crate) fn wait(
        &self,
        until: Option<Instant>,
        also: Option<BorrowedFd<'_>>,
    ) -> Result<Event, Failure> {
        loop {
            match self.signals.next() {
                Ok(Some(signal)) => match self.handle(signal)? {
                    Some(event) => return Ok(event),
                    None => continue,
                },
                Ok(None) => {}
                Err(error) => {
                    return Err(Failure::failed(format!(
                        "cannot read signals: {}",
                        words(&error)
                    )));
                }
            }
            let stdin = io::stdin();
            let mut all = vec![PollFd::new(&self.signals, PollFlags::IN)];
            all.extend(also.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            if self.has_keys {
                all.push(PollFd::new(&stdin, PollFlags::IN));
            }
            let timeout = until.map(remaining);
            match poll(&mut all, timeout.as_ref()) {
                Ok(0) => return Ok(Event::Time),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(trouble("wait for", error)),
            }
            let ready = |at: usize| all.get(at).is_some_and(|fd| !fd.revents().is_empty());
            if ready(0) {
                continue;
            }
            if self.has_keys && ready(all.len() - 1) {
                return Ok(typed());
            }
            if also.is_some() && ready(1) {
                return Ok(Event::Woken);
            }
        }
    }

    fn handle(&self, signal: i32) -> Result<Option<Event>, Failure> {
        let again = |result: rustix::io::Result<()>| match result {
            Ok(()) => Ok(Some(Event::Spoilt)),
            Err(error) => Err(trouble("take", error)),
        };
        match signal {
            SIGHUP | SIGINT | SIGQUIT | SIGTERM => Ok(Some(Event::End)),
            SIGTSTP => {
                give_back();
                stop_here();
                again(take_terminal(&self.terminal))
            }
            // Stopped by a signal that cannot be read, and a shell had the terminal meanwhile.
            SIGCONT => again(take_terminal(&self.terminal)),
            SIGWINCH => Ok(Some(Event::Spoilt)),
            _ => Ok(None),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn trouble(step: &str, error: Errno) -> Failure {
    let words = netnsctl_sys::errno::Errno(error.raw_os_error());
    Failure::failed(format!("cannot {step} the terminal: {words}"))
}

fn remaining(until: Instant) -> Timespec {
    let wait = until.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    }
}

/// What was typed. A terminal that is gone has nothing, or fails.
fn typed() -> Event {
    let mut buffer = [0; 1024];
    match rustix::io::read(io::stdin(), &mut buffer) {
        Ok(0) => Event::End,
        Ok(count) => Event::Input(buffer[..count].to_vec()),
        Err(Errno::INTR | Errno::AGAIN) => Event::Input(Vec::new()),
        Err(_) => Event::End,
    }
}

fn write(terminal: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(terminal, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn take_terminal(terminal: &OwnedFd) -> rustix::io::Result<()> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = match taken.as_ref() {
        Some(taken) => taken.before.clone(),
        None => tcgetattr(terminal)?,
    };
    tcsetattr(terminal, OptionalActions::Now, &unedited(&before))?;
    *taken = Some(Taken {
        terminal: rustix::io::fcntl_dupfd_cloexec(terminal, 0)?,
        before,
    });
    // One that is gone is noticed when its keys are read.
    let _ = write(terminal, ENTER.as_bytes());
    Ok(())
}

/// Gives the terminal back if it is ours.
fn give_back() {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Taken { terminal, before }) = taken.take() {
        let _ = write(&terminal, LEAVE.as_bytes());
        // What was typed and not read was meant for the view: it is thrown away.
        let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    }
}

/// A terminal that hands over each key and shows none. Ctrl-C and Ctrl-Z stay signals.
fn unedited(before: &Termios) -> Termios {
    let mut modes = before.clone();
    modes.input_modes -= InputModes::ICRNL | InputModes::IXON;
    modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN;
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes
}

/// Has a panic, of whichever thread, give the terminal back first, so that its words are seen.
fn give_back_at_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let say = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            say(panic);
        }));
    });
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_speaks() {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
        let modes = || format!("{:?}", tcgetattr(&terminal).unwrap());
        let before = modes();
        give_back_at_panic();
        take_terminal(&terminal).unwrap();
        assert_ne!(modes(), before);
        // Once more, as after SIGCONT: what it was before stays what is given back.
        take_terminal(&terminal).unwrap();
        let thread = std::thread::spawn(|| panic!("as it should"));
        assert!(thread.join().is_err());
        assert_eq!(modes(), before);
        let wanted = [ENTER, ENTER, LEAVE].concat();
        let mut found = vec![0; wanted.len()];
        let mut filled = 0;
        while filled < found.len() {
            filled += rustix::io::read(&master, &mut found[filled..]).unwrap();
        }
        assert_eq!(String::from_utf8(found).unwrap(), wanted);
    }
}
