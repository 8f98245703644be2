//! `serve`: everything up and running, in the foreground.
//!
//! One thread waits for three things: signals, children that say they are ready, and the time to
//! start one again. It makes threads only for the moments in which it works in a namespace.

pub(crate) mod forwarder;
mod notify;
pub(crate) mod published;

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use netnsctl_kernel::netns::{self, Netns};
use netnsctl_kernel::sandbox::{self, Isolation};
use netnsctl_kernel::state_dir::StateDir;
use netnsctl_kernel::teardown;
use netnsctl_model::desired::Desired;
use netnsctl_model::name::NetnsName;
use netnsctl_model::plan::Request;
use netnsctl_sys::signal::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitOptions, wait};
use sd_notify::NotifyState;

use self::forwarder::{Forwarder, signal};
use self::notify::NotifySocket;
use self::published::{Folder, PublishedForward, State, forward_name};
use super::up;
use crate::cli::Serve;
use crate::config_files;
use crate::output::{self, Exit, Failure};

/// How long forwarders may take to end before they are killed. Their namespaces are about to go,
/// so there is nothing to finish.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn serve(mut config: Vec<PathBuf>, arguments: Serve) -> Result<Exit, Failure> {
    config.extend(arguments.files);
    // Read before the sandbox hides parts of the file system.
    let desired = config_files::load_or_report(&config)?;
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let config = config.into_iter().map(absolute).collect();
    if arguments.sandbox {
        sandbox::enter(Isolation::User).map_err(|error| {
            Failure::from(error).hint(
                "this kernel may not let users make namespaces; as root, serve without --sandbox",
            )
        })?;
    }
    let signals = SignalFd::new(&[SIGTERM, SIGINT, SIGHUP, SIGCHLD])
        .map_err(|error| Failure::failed(format!("cannot read signals: {error}")))?;
    let mut server = Server::start(config, desired, signals, arguments.sandbox)?;
    let exit = server.bring_up().unwrap_or_else(Failure::report);
    if exit != Exit::Done {
        server.stop();
        return Ok(exit);
    }
    server.run();
    Ok(server.stop())
}

struct Server {
    config: Vec<PathBuf>,
    desired: Desired,
    is_sandbox: bool,
    home: Netns,
    signals: SignalFd,
    folder: Folder,
    notify: NotifySocket,
    notify_path: PathBuf,
    forwarders: Vec<Forwarder>,
    /// Forwarders that were told to end and are finishing their connections.
    draining: BTreeSet<u32>,
    sockets_made: usize,
    announced: bool,
}

/// What the loop is to do after an event.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

impl Server {
    fn start(
        config: Vec<PathBuf>,
        desired: Desired,
        signals: SignalFd,
        is_sandbox: bool,
    ) -> Result<Self, Failure> {
        let home = netns::home()?;
        let folder = Folder::take()?;
        let notify_path = folder.socket("notify");
        let notify = NotifySocket::bind(&notify_path).map_err(|error| {
            Failure::failed(format!(
                "cannot listen on {}: {error}",
                notify_path.display()
            ))
        })?;
        Ok(Self {
            config,
            desired,
            is_sandbox,
            home,
            signals,
            folder,
            notify,
            notify_path,
            forwarders: Vec::new(),
            draining: BTreeSet::new(),
            sockets_made: 0,
            announced: false,
        })
    }

    /// Namespaces first, then the forwards between them.
    fn bring_up(&mut self) -> Result<Exit, Failure> {
        let request = Request::default();
        let (plan, outcome) = up::bring_up(&self.desired, &self.home, &request)?;
        output::note(up::changes(&plan, &outcome).trim_end());
        let exit = up::report(&plan, &outcome);
        if exit == Exit::Done {
            self.reconcile_forwarders()?;
        }
        Ok(exit)
    }

    fn run(&mut self) {
        loop {
            self.start_due();
            self.announce();
            self.wait_for_event();
            for pid in self.notify.ready() {
                self.forwarders
                    .iter_mut()
                    .any(|forwarder| forwarder.ready(pid));
            }
            if self.handle_signals() == Next::Stop {
                return;
            }
        }
    }

    fn wait_for_event(&self) {
        let due = self.forwarders.iter().filter_map(Forwarder::due).min();
        let timeout = due.map(|due| {
            let wait = due.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            }
        });
        let mut fds = [
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.notify.as_fd(), PollFlags::IN),
        ];
        // EINTR is as good as an event.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    fn handle_signals(&mut self) -> Next {
        while let Ok(Some(signal)) = self.signals.next() {
            match signal {
                SIGHUP => self.reload(),
                SIGCHLD => self.reap(),
                _ => return Next::Stop,
            }
        }
        Next::Continue
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        for forwarder in &mut self.forwarders {
            if forwarder.due().is_some_and(|due| due <= now) {
                forwarder.start(&self.notify_path);
            }
        }
    }

    /// Tells the service manager and whoever watches that every listener accepts.
    fn announce(&mut self) {
        if self.announced || !self.forwarders.iter().all(Forwarder::is_ready) {
            return;
        }
        self.announced = true;
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        for forwarder in &self.forwarders {
            let name = forward_name(&forwarder.netns, &forwarder.forward);
            output::note(&format!("forward {name}"));
        }
        if self.is_sandbox {
            output::note(
                "sandbox: reach it from another terminal with \"netnsctl run --sandbox NAME\"",
            );
        }
        output::note("ready");
    }

    /// Brings the running forwarders to what is declared; those that fit are not touched.
    fn reconcile_forwarders(&mut self) -> Result<(), Failure> {
        let mut old = std::mem::take(&mut self.forwarders);
        let wanted: Vec<_> = self
            .desired
            .all_forwards()
            .map(|(netns, number, forward)| (netns, number, forward.clone()))
            .collect();
        let mut kept = Vec::new();
        let mut new = Vec::new();
        for (netns, number, forward) in wanted {
            match old
                .iter()
                .position(|running| running.listens_for(&netns, &forward))
            {
                Some(at) => {
                    let mut forwarder = old.swap_remove(at);
                    self.draining.extend(forwarder.change(number, &forward)?);
                    kept.push(forwarder);
                }
                None => new.push((netns, number, forward)),
            }
        }
        // Before anything new is bound: it may want an address of these.
        for gone in old {
            let name = forward_name(&gone.netns, &gone.forward);
            output::note(&format!("stopped forwarding {name}"));
            self.draining.extend(gone.end());
        }
        self.forwarders = kept;
        for (netns, number, forward) in new {
            self.sockets_made += 1;
            let control = self.folder.socket(&format!("{}.sock", self.sockets_made));
            self.forwarders
                .push(Forwarder::new(netns, number, forward, control)?);
        }
        self.announced = false;
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        let forwards = self.forwarders.iter().map(|forwarder| PublishedForward {
            netns: forwarder.netns.to_string(),
            number: forwarder.number,
            control: forwarder.control_path.clone(),
        });
        let state = State {
            pid: std::process::id(),
            config: self.config.clone(),
            forwards: forwards.collect(),
        };
        if let Err(error) = self.folder.publish(&state) {
            output::error(
                &format!("cannot tell \"netnsctl status\" about the forwards: {error}"),
                None,
            );
        }
    }

    /// Reads the configuration again and changes what differs. A mistake changes nothing.
    fn reload(&mut self) {
        let reloading = NotifyState::monotonic_usec_now();
        let _ = sd_notify::notify(&[
            NotifyState::Reloading,
            reloading.unwrap_or(NotifyState::Reloading),
        ]);
        output::note("reading the configuration again");
        match config_files::load_or_report(&self.config) {
            Ok(desired) => {
                let old = std::mem::replace(&mut self.desired, desired);
                if let Err(failure) = self.bring_up() {
                    failure.report();
                }
                let gone = old
                    .netns
                    .keys()
                    .filter(|name| !self.desired.netns.contains_key(*name));
                self.take_down(&gone.cloned().collect());
            }
            Err(failure) => drop(failure.report()),
        }
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            let how = match (status.exit_status(), status.terminating_signal()) {
                (Some(status), _) => format!("exited with status {status}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => continue,
            };
            if !self.draining.remove(&pid) {
                self.forwarders
                    .iter_mut()
                    .any(|forwarder| forwarder.ended(pid, &how));
            }
        }
    }

    /// Ends the forwarders, then takes away the namespaces. A sandbox goes by itself.
    fn stop(mut self) -> Exit {
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let forwarders = std::mem::take(&mut self.forwarders);
        self.draining
            .extend(forwarders.iter().filter_map(Forwarder::end));
        self.wait_for_children();
        if self.is_sandbox {
            return Exit::Done;
        }
        let names = self.desired.netns.keys().cloned().collect();
        let exit = self.take_down(&names);
        drop(forwarders);
        let state = StateDir::lock();
        drop(self.folder);
        if let Ok(state) = state {
            state.remove_if_empty();
        }
        exit
    }

    fn wait_for_children(&mut self) {
        let deadline = Instant::now() + STOP_PATIENCE;
        let mut patient = true;
        while !self.draining.is_empty() {
            self.reap();
            if patient && Instant::now() > deadline {
                patient = false;
                self.draining
                    .iter()
                    .for_each(|pid| signal(*pid, Signal::KILL));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn take_down(&self, names: &BTreeSet<NetnsName>) -> Exit {
        if names.is_empty() {
            return Exit::Done;
        }
        let state = match StateDir::lock() {
            Ok(state) => state,
            Err(error) => return Failure::from(error).report(),
        };
        match teardown::down(names, teardown::Options::default(), &state) {
            Ok(report) => {
                for name in &report.removed {
                    output::note(&format!("- netns {name}"));
                }
                if super::down::report_trouble(&report) {
                    Exit::Failed
                } else {
                    Exit::Done
                }
            }
            Err(error) => Failure::from(error).report(),
        }
    }
}
