//! From what runs to what is declared, in place: what fits is not touched.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use netnsctl_model::name::{NetnsName, NetnsRef};

use super::child::Part;
use super::daemon::Daemon;
use super::forwarder::Forwarder;
use super::{STOP_PATIENCE, Server};
use crate::output::{self, Exit};
use crate::published::forward_name;

impl Server {
    /// Brings what runs to what is declared.
    pub(super) fn reconcile(&mut self) -> Exit {
        let daemons = self.reconcile_daemons();
        let forwarders = self.reconcile_forwarders();
        self.announced = false;
        self.publish();
        if daemons == Exit::Done {
            forwarders
        } else {
            daemons
        }
    }

    /// Has a daemon in each namespace that wants one. One that cannot be had is said and does not
    /// stop the others.
    fn reconcile_daemons(&mut self) -> Exit {
        let mut exit = Exit::Done;
        let mut old = std::mem::take(&mut self.daemons);
        let wanted = self.desired.netns.iter().filter(|(_, it)| it.nscd.enable);
        let wanted: Vec<_> = wanted
            .map(|(name, it)| (name.clone(), it.nscd.clone()))
            .collect();
        let mut new = Vec::new();
        for (name, nscd) in wanted {
            let fits = |running: &Daemon| running.name == name && running.is_found();
            let Some(at) = old.iter().position(fits) else {
                new.push((name, nscd));
                continue;
            };
            let mut daemon = old.swap_remove(at);
            self.draining.extend(daemon.change(&nscd));
            self.daemons.push(daemon);
        }
        // Before any socket is made: it may stand where one of these does.
        for mut daemon in old {
            output::note(&format!("stopped {}", daemon.announcement()));
            self.draining.extend(daemon.end());
        }
        // Those of a `serve` that was killed may not have noticed yet.
        let deadline = Instant::now() + STOP_PATIENCE;
        for (name, nscd) in new {
            match Daemon::new(name, &nscd, deadline) {
                Ok(daemon) => self.daemons.push(daemon),
                Err(failure) => exit = failure.report(),
            }
        }
        exit
    }

    /// Has daemons leave views that gave way to others.
    pub(super) fn follow_views(&mut self) {
        let ended: Vec<_> = self.daemons.iter_mut().filter_map(Daemon::follow).collect();
        self.draining.extend(ended);
    }

    /// Brings the running forwarders to what is declared; those that fit are not touched. One that
    /// cannot be had is said and does not stop the others.
    fn reconcile_forwarders(&mut self) -> Exit {
        let mut exit = Exit::Done;
        let mut old = std::mem::take(&mut self.forwarders);
        let wanted: Vec<_> = self
            .desired
            .all_forwards()
            .map(|(netns, number, forward)| (netns, number, forward.clone()))
            .collect();
        let mut new = Vec::new();
        for (netns, number, forward) in wanted {
            let fits = |running: &Forwarder| running.listens_for(&netns, &forward);
            let Some(at) = old.iter().position(fits) else {
                new.push((netns, number, forward));
                continue;
            };
            let mut forwarder = old.swap_remove(at);
            match forwarder.change(number, &forward) {
                Ok(ended) => self.draining.extend(ended),
                Err(failure) => exit = failure.report(),
            }
            self.forwarders.push(forwarder);
        }
        // Before anything new is bound: it may want an address of these.
        let patience = if old.is_empty() {
            Duration::ZERO
        } else {
            STOP_PATIENCE
        };
        self.end(old);
        for (netns, number, forward) in new {
            self.sockets_made += 1;
            let control = self.folder.socket(&format!("{}.sock", self.sockets_made));
            match Forwarder::new(netns, number, forward, control, patience) {
                Ok(forwarder) => self.forwarders.push(forwarder),
                Err(failure) => exit = failure.report(),
            }
        }
        exit
    }

    fn end(&mut self, forwarders: Vec<Forwarder>) {
        for mut forwarder in forwarders {
            let name = forward_name(&forwarder.netns, &forwarder.forward);
            output::note(&format!("stopped forwarding {name}"));
            self.draining.extend(forwarder.end());
        }
    }

    /// Ends what keeps namespaces alive that are about to go.
    pub(super) fn leave(&mut self, gone: &BTreeSet<NetnsName>) {
        let goes = |netns: &NetnsRef| netns.name().is_some_and(|name| gone.contains(name));
        let all = std::mem::take(&mut self.forwarders);
        let (listening, mut others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|forwarder| goes(&forwarder.netns));
        for forwarder in &mut others {
            if goes(&forwarder.forward.netns) {
                self.draining.extend(forwarder.leave());
            }
        }
        self.forwarders = others;
        let all = std::mem::take(&mut self.daemons);
        let (going, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|daemon| gone.contains(&daemon.name));
        self.daemons = others;
        for mut daemon in going {
            self.draining.extend(daemon.end());
        }
        // All connections of these begin in a namespace that goes, wherever they lead.
        let pids = listening.iter().filter_map(|it| it.child().pid());
        let pids: BTreeSet<_> = pids.collect();
        self.end(listening);
        self.wait_for_children(|pid, netns| goes(netns) || pids.contains(&pid));
    }
}
