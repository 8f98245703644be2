//! What waits for links that others bring: once one comes, a plan is made again.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use netnsctl_base::error::{Error, NetlinkContext as _};
use netnsctl_base::netns::{Netns, wander};
use netnsctl_kernel::names;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan::{LinkPlace, Plan, text};
use netnsctl_netlink::{self as netlink, Batch, LinkEvents, Socket};
use rustix::io::Errno;

use crate::output::{self, Failure};

/// The links that something declared needs and nothing declared brings, and a socket that tells when
/// one of them comes, changes or goes. It is in the host namespace, so that it keeps no other alive.
#[derive(Default)]
pub(super) struct Awaited {
    /// None as long as there are no such links.
    events: Option<LinkEvents>,
    /// Those links, with the namespaces that need them.
    links: BTreeMap<LinkPlace, BTreeSet<NetnsName>>,
    /// What was said to wait.
    lines: Vec<String>,
    /// The namespaces that need a link which came, changed or went since they were looked at.
    pending: BTreeSet<NetnsName>,
    /// When they may be looked at again.
    not_before: Option<Instant>,
}

/// Time between two looks. A link may change often, and a step that fails may itself change the link
/// that it needs: neither must keep this process busy.
const PAUSE: Duration = Duration::from_secs(1);

/// Time until another look after one that could not be had, as for want of a descriptor.
const RETRY: Duration = Duration::from_secs(10);

impl Awaited {
    /// Listens for the links that `plan`, which is of all namespaces or of those `of`, relies on,
    /// and says what waits unless it was said before. True if it listens in a namespace in which it
    /// did not: what came before it did has to be looked for. Where it cannot listen, that is
    /// reported: what waits is then left to the next reload.
    pub(super) fn follow(
        &mut self,
        plan: &Plan,
        of: Option<&BTreeSet<NetnsName>>,
        home: &Netns,
    ) -> bool {
        let lines = text::waiting(plan);
        let news = lines.iter().filter(|line| !self.lines.contains(line));
        news.for_each(|line| output::note(line));
        self.lines = lines;
        for names in self.links.values_mut() {
            names.retain(|name| of.is_some_and(|of| !of.contains(name)));
        }
        for (link, names) in &plan.relies_on {
            let all = self.links.entry(link.clone()).or_default();
            all.extend(names.iter().cloned());
        }
        self.links.retain(|_, names| !names.is_empty());
        if self.links.is_empty() {
            self.events = None;
            return false;
        }
        self.listen(home).unwrap_or_else(|failure| {
            failure.report();
            false
        })
    }

    /// Listens in the host namespace and in all others where one of the links is. True if it did not
    /// in one of them.
    ///
    /// Errors: a namespace cannot be opened, or no socket can be had.
    fn listen(&mut self, home: &Netns) -> Result<bool, Failure> {
        let mut opened = BTreeMap::new();
        for name in self.links.keys().filter_map(|link| link.netns.name()) {
            match names::open(name) {
                Ok(netns) => drop(opened.insert(name, netns)),
                Err(Error::NoSuchNetns(_) | Error::Stale(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let host = NetnsRef::HOME;
        let (events, is_new) = wander(|wanderer| {
            wanderer.enter(home, host)?;
            let open = || LinkEvents::open().in_netns("listen for links in", host);
            let events = self.events.is_none().then(open).transpose()?;
            let mut batch = Batch::new();
            for netns in opened.values() {
                batch.give_nsid(netns.as_fd());
            }
            let mut socket = Socket::open().in_netns("open a socket in", host)?;
            let given = socket.commit(batch).in_netns("give ids in", host)?;
            let is_new = events.is_some() || given.iter().any(Result::is_ok);
            for refused in given.into_iter().filter_map(Result::err) {
                if !refused.is(Errno::EXIST) {
                    return Err(netlink::Error::Kernel(refused)).in_netns("give ids in", host);
                }
            }
            Ok::<_, Error>((events, is_new))
        })??;
        self.events = events.or(self.events.take());
        Ok(is_new)
    }

    /// The namespaces that need a link which came, changed or went, once it is time to look at them.
    pub(super) fn due(&mut self) -> Option<BTreeSet<NetnsName>> {
        if let Some(events) = &self.events {
            let changed = events.changed();
            let is_meant = |link: &LinkPlace| {
                let names = changed.as_ref();
                names.is_none_or(|names| names.contains(link.interface.as_str()))
            };
            let links = self.links.iter().filter(|(link, _)| is_meant(link));
            let names = links.flat_map(|(_, names)| names.iter().cloned());
            self.pending.extend(names);
        }
        let now = Instant::now();
        if self.pending.is_empty() || self.not_before.is_some_and(|it| now < it) {
            return None;
        }
        self.not_before = Some(now + PAUSE);
        Some(std::mem::take(&mut self.pending))
    }

    /// Has `names` due again after a while: what they need is there, and nothing could be done for them.
    pub(super) fn later(&mut self, names: BTreeSet<NetnsName>) {
        self.pending.extend(names);
        self.not_before = Some(Instant::now() + RETRY);
    }

    /// When to ask for what is due, even if nothing happens until then.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.not_before.filter(|_| !self.pending.is_empty())
    }

    /// What becomes readable by it.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(AsFd::as_fd)
    }
}
