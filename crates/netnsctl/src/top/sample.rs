//! Gathers what there is, again and again, on a thread of its own.
//!
//! Counters are read for every sample. What is there and how it differs from what is declared takes
//! a whole look as `status` has it, which with hundreds of namespaces takes longer than a person
//! waits; it is taken anew as often as it costs a fifth of the time at most. The thread stays at
//! home: others, which end, visit the namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use netnsctl_base::error::{Context, Object};
use netnsctl_base::netns::Netns;
use netnsctl_kernel::observe::raise_descriptor_limit;
use netnsctl_kernel::place;
use netnsctl_model::desired::Desired;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_netlink::Traffic;
use netnsctl_probe::traffic;
use netnsctl_sys::errno::words;
use rustix::event::{EventfdFlags, eventfd};

use crate::commands::metrics::{self, Forwards};
use crate::config_files;
use crate::output::Failure;
use crate::status::gather_of;
use crate::status::wire::Report;

/// A whole look waits for that many times what the last one took.
const LOOK_PAUSE: u32 = 4;

/// Samples that may wait for the view; while it is stopped, more are left out.
const WAITING: usize = 2;

/// A link: its namespace and its name.
pub(super) type LinkKey = (String, String);

/// What there was at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When the counters were read.
    pub(super) at: Instant,
    /// What is there, as `status` tells it; its counters are older.
    pub(super) report: Arc<Report>,
    /// What links have carried.
    pub(super) links: BTreeMap<LinkKey, Traffic>,
    /// What forwards have carried; none of those that do not answer.
    pub(super) forwards: Forwards,
    /// Why something of this is not what it is now.
    pub(super) trouble: Option<String>,
}

/// Takes samples.
pub(super) struct Sampler {
    config: Vec<PathBuf>,
    /// None for all there are.
    names: Option<BTreeSet<NetnsName>>,
    home: Netns,
    /// The last configuration that was right.
    desired: Desired,
    report: Arc<Report>,
    /// Why the last look is not right.
    trouble: Option<String>,
    /// When the next look is due.
    next_look: Instant,
}

impl Sampler {
    /// Takes the first sample of `names`; none for all there are.
    ///
    /// Errors: as `status`; exit status 2 if a name is neither declared nor managed.
    pub(super) fn new(
        config: Vec<PathBuf>,
        names: BTreeSet<NetnsName>,
    ) -> Result<(Self, Sample), Failure> {
        raise_descriptor_limit();
        let mut sampler = Self {
            config,
            names: Some(names).filter(|names| !names.is_empty()),
            home: place::home()?,
            desired: Desired::default(),
            report: Arc::default(),
            trouble: None,
            next_look: Instant::now(),
        };
        sampler.look()?;
        for name in sampler.names.iter().flatten() {
            if !sampler
                .report
                .netns
                .iter()
                .any(|it| it.name == name.as_str())
            {
                let words = format!("netns {:?} is neither declared nor managed", name.as_str());
                return Err(Failure::usage(words).hint("\"netnsctl list\" shows all there are"));
            }
        }
        let first = sampler.sample();
        Ok((sampler, first))
    }

    /// Goes on by itself, every `interval`.
    pub(super) fn start(self, interval: Duration) -> Result<Samples, Failure> {
        let failed = |error: io::Error| Failure::failed(format!("cannot begin: {}", words(&error)));
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = eventfd(0, flags).map_err(|error| failed(error.into()))?;
        let waker = wake.try_clone().map_err(failed)?;
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("sampler".to_owned())
            .spawn(move || self.run(interval, &sender, &waker))
            .context(
                "start",
                Object::task("a thread that gathers what \"top\" shows"),
            )?;
        Ok(Samples { receiver, wake })
    }

    fn run(mut self, interval: Duration, sender: &SyncSender<Sample>, waker: &OwnedFd) {
        let mut pause = interval;
        loop {
            std::thread::sleep(pause);
            let began = Instant::now();
            if began >= self.next_look {
                if let Err(failure) = self.look() {
                    self.trouble = Some(failure.into_message());
                }
                self.next_look = Instant::now() + began.elapsed() * LOOK_PAUSE;
            }
            match sender.try_send(self.sample()) {
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => return,
            }
            // It counts what is to be taken, which can only fail if that is without number.
            let _ = rustix::io::write(waker, &1_u64.to_ne_bytes());
            let took = began.elapsed();
            pause = interval.saturating_sub(took).max(took);
        }
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.trouble = None;
        match config_files::load_quietly(&self.config) {
            Ok(Some(desired)) => self.desired = desired,
            Ok(None) => {
                let words = "the configuration is wrong; \"netnsctl check\" says where";
                self.trouble = Some(words.to_owned());
            }
            Err(failure) => self.trouble = Some(failure.into_message()),
        }
        self.report = Arc::new(gather_of(&self.desired, self.names.as_ref())?.0);
        Ok(())
    }

    fn sample(&mut self) -> Sample {
        let (links, trouble) = match self.links() {
            Ok(links) => (links, None),
            Err(failure) => (BTreeMap::new(), Some(failure.into_message())),
        };
        let (forwards, unasked) = match metrics::gather(&self.desired) {
            Ok(forwards) => (forwards, None),
            Err(failure) => (BTreeMap::new(), Some(failure.into_message())),
        };
        let trouble = trouble.or(unasked);
        Sample {
            at: Instant::now(),
            report: Arc::clone(&self.report),
            links,
            forwards,
            trouble: trouble.or_else(|| self.trouble.clone()),
        }
    }

    fn links(&self) -> Result<BTreeMap<LinkKey, Traffic>, Failure> {
        let named = self.report.netns.iter().filter(|it| it.inode.is_some());
        let named = named.map(|it| &it.name).chain(&self.report.unmanaged);
        let names = named
            .filter_map(|name| NetnsName::parse(name).ok())
            .collect();
        let at_home = links_at_home(&self.report);
        let home = Some(&self.home).filter(|_| !at_home.is_empty());
        let mut found = BTreeMap::new();
        for (netns, links) in traffic::traffic(&names, home)? {
            // Home has many links that are nobody's business here.
            let shown = |link: &Traffic| match netns {
                NetnsRef::Home => at_home.contains(link.name.as_str()),
                NetnsRef::Named(_) => true,
            };
            for link in links.into_iter().filter(shown) {
                found.insert((netns.to_string(), link.name.clone()), link);
            }
        }
        Ok(found)
    }
}

/// The veth ends at home that lead to namespaces of the report.
fn links_at_home(report: &Report) -> BTreeSet<&str> {
    let home = NetnsRef::Home;
    let veths = report.netns.iter().flat_map(|netns| &netns.veths);
    veths
        .filter(|veth| veth.peer_netns.as_deref() == Some(home.as_str()))
        .filter_map(|veth| veth.peer_interface.as_deref())
        .collect()
}

/// Samples as they come.
pub(super) struct Samples {
    receiver: Receiver<Sample>,
    wake: OwnedFd,
}

impl Samples {
    /// Those that came.
    ///
    /// Errors: if no more will come.
    pub(super) fn take(&self) -> Result<Vec<Sample>, Failure> {
        // Nothing to read means only that it was read before.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        let mut taken = Vec::new();
        loop {
            match self.receiver.try_recv() {
                Ok(sample) => taken.push(sample),
                Err(TryRecvError::Empty) => return Ok(taken),
                Err(TryRecvError::Disconnected) => {
                    return Err(Failure::failed(
                        "nothing more is gathered: its thread ended",
                    ));
                }
            }
        }
    }
}

/// Readable when samples came.
impl AsFd for Samples {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
