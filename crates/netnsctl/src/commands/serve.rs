//! `serve`: everything up and running, in the foreground.
//!
//! One thread waits for four things: signals, children that say they are ready, views that give way
//! to others, and the time to start a child again. It makes threads only for the moments in which it works in a namespace.

mod child;
mod daemon;
pub(crate) mod forwarder;
pub(crate) mod notify;
mod reconcile;
mod view_watch;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use netnsctl_base::error::{Error, NamespaceKind, Object};
use netnsctl_base::netns::Netns;
use netnsctl_kernel::place;
use netnsctl_kernel::state_dir::{self, StateDir};
use netnsctl_kernel::teardown;
use netnsctl_model::desired::Desired;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan::Request;
use netnsctl_probe::host::user_namespaces_setting;
use netnsctl_session::sandbox::{self, Isolation};
use netnsctl_sys::errno::words;
use netnsctl_sys::signal::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SignalFd};
use netnsctl_view::refuse_chroot_for_child;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Signal, WaitOptions, wait};
use sd_notify::NotifyState;

use self::child::{Part, signal};
use self::daemon::Daemon;
use self::forwarder::Forwarder;
use self::notify::{Manager, NotifySocket};
use self::view_watch::ViewWatch;
use self::waiting::Awaited;
use super::{outcome, up};
use crate::cli::Serve;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::published::{Folder, PublishedForward, State, forward_key};

/// How long children may take to end before they are killed. Their namespaces are about to go,
/// so there is nothing to finish.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no sandbox, and what lets it be.
fn no_sandbox(error: Error) -> Failure {
    let is_forbidden = matches!(
        &error,
        Error::System {
            object: Object::NewNamespace {
                kind: NamespaceKind::User,
                ..
            },
            ..
        }
    );
    let failure = Failure::from(error);
    if !is_forbidden {
        return failure;
    }
    let cure = match user_namespaces_setting() {
        Some(setting) => format!("\"sysctl {setting}\" lets users make them"),
        None => "a container's system call filter or a security module may forbid them".to_owned(),
    };
    failure.hint(format!("{cure}; root may serve without --sandbox"))
}

pub(super) fn serve(mut config: Vec<PathBuf>, mut arguments: Serve) -> Result<Exit, Failure> {
    config.append(&mut arguments.files);
    // Read before the sandbox hides parts of the file system.
    let desired = config_files::load_or_report(&config)?;
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let config = config.into_iter().map(absolute).collect();
    let manager = Manager::of_environment();
    if arguments.sandbox {
        sandbox::enter(Isolation::User).map_err(no_sandbox)?;
    }
    refuse_chroot(&desired)?;
    let signals = SignalFd::new(&[SIGTERM, SIGINT, SIGHUP, SIGCHLD])
        .map_err(|error| Failure::failed(format!("cannot read signals: {}", words(&error))))?;
    let mut server = Server::start(config, desired, signals, manager, &arguments)?;
    let exit = server.bring_up().unwrap_or_else(Failure::report);
    if exit != Exit::Done {
        // What was there before is no business of a start that failed.
        let found = std::mem::take(&mut server.found);
        server.stop(|name| !found.contains(name));
        return Ok(exit);
    }
    server.run();
    Ok(server.stop(|_| true))
}

/// Refuses name-service daemons in a chroot, in which none can ever be started.
fn refuse_chroot(desired: &Desired) -> Result<(), Failure> {
    let mut with_daemon = desired.netns.iter().filter(|(_, it)| it.nscd.enable);
    let refused = with_daemon
        .next()
        .map(|(name, _)| refuse_chroot_for_child(name));
    match refused {
        Some(Err(error @ Error::Chroot(_))) => Err(error.into()),
        // Another error will come again, from the step that it keeps from being taken.
        _ => Ok(()),
    }
}

struct Server {
    config: Vec<PathBuf>,
    desired: Desired,
    is_sandbox: bool,
    /// Whether forwarders tell of each connection.
    verbose: bool,
    home: Netns,
    signals: SignalFd,
    manager: Manager,
    folder: Folder,
    notify: NotifySocket,
    notify_path: PathBuf,
    forwarders: Vec<Forwarder>,
    daemons: Vec<Daemon>,
    views: ViewWatch,
    /// What waits for links that others bring.
    awaited: Awaited,
    /// Children that were told to end and are finishing their work, and the namespace that keeps.
    draining: BTreeMap<u32, NetnsRef>,
    /// Namespaces that were managed before this process came.
    found: BTreeSet<NetnsName>,
    /// Namespaces that are no longer declared and could not be removed in full.
    unremoved: BTreeSet<NetnsName>,
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
        manager: Manager,
        arguments: &Serve,
    ) -> Result<Self, Failure> {
        let home = place::home()?;
        let found = state_dir::records()?.into_names();
        let folder = Folder::take()?;
        let notify_path = folder.socket("notify");
        let notify = NotifySocket::bind(&notify_path).map_err(|error| {
            Failure::failed(format!(
                "cannot listen on {}: {}",
                notify_path.display(),
                words(&error)
            ))
        })?;
        let server = Self {
            config,
            desired,
            is_sandbox: arguments.sandbox,
            verbose: arguments.verbose,
            home,
            signals,
            manager,
            folder,
            notify,
            notify_path,
            forwarders: Vec::new(),
            daemons: Vec::new(),
            views: ViewWatch::new(),
            awaited: Awaited::default(),
            draining: BTreeMap::new(),
            found,
            unremoved: BTreeSet::new(),
            sockets_made: 0,
            announced: false,
        };
        server.publish();
        Ok(server)
    }

    /// Namespaces first, then what runs in them and the forwards between them.
    fn bring_up(&mut self) -> Result<Exit, Failure> {
        let exit = self.bring_up_namespaces(None)?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        Ok(self.reconcile())
    }

    /// Brings up `names`, or all; again where something may have come that they wait for.
    fn bring_up_namespaces(&mut self, names: Option<BTreeSet<NetnsName>>) -> Result<Exit, Failure> {
        let request = Request {
            names,
            ..Request::default()
        };
        loop {
            let (plan, outcome) = up::bring_up(&self.desired, &self.home, &request)?;
            let changes = outcome::changes(&plan, &outcome);
            if !(changes.is_empty() || plan.steps.is_empty() && request.names.is_some()) {
                output::note(changes.trim_end());
            }
            let exit = outcome::report(&plan, &outcome);
            if !self
                .awaited
                .follow(&plan, request.names.as_ref(), &self.home)
            {
                return Ok(exit);
            }
        }
    }

    /// Carries out what waited for a link that is there now.
    fn go_on(&mut self, names: BTreeSet<NetnsName>) {
        if let Err(failure) = self.bring_up_namespaces(Some(names.clone())) {
            failure.report();
            self.awaited.later(names);
        }
    }

    fn run(&mut self) {
        loop {
            self.start_due();
            self.announce();
            self.wait_for_event();
            for pid in self.notify.ready() {
                self.parts_mut().any(|part| part.child_mut().ready(pid));
            }
            if self.handle_signals() == Next::Stop {
                return;
            }
            if self.views.has_changed() {
                self.follow_views();
            }
            if let Some(names) = self.awaited.due() {
                self.go_on(names);
            }
        }
    }

    /// All that has a child.
    fn parts(&self) -> impl Iterator<Item = &dyn Part> {
        let forwarders = self.forwarders.iter().map(|it| it as &dyn Part);
        forwarders.chain(self.daemons.iter().map(|it| it as &dyn Part))
    }

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut dyn Part> {
        let forwarders = self.forwarders.iter_mut().map(|it| it as &mut dyn Part);
        forwarders.chain(self.daemons.iter_mut().map(|it| it as &mut dyn Part))
    }

    fn wait_for_event(&self) {
        let due = self.parts().filter_map(|part| part.child().due());
        let due = due.chain(self.awaited.due_at()).min();
        let timeout = due.map(|due| {
            let wait = due.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            }
        });
        let fds = [self.signals.as_fd(), self.notify.as_fd()];
        let fds = fds
            .into_iter()
            .chain(self.views.fd())
            .chain(self.awaited.fd());
        let mut fds: Vec<_> = fds
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
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
        let (notify, verbose) = (self.notify_path.clone(), self.verbose);
        for part in self.parts_mut() {
            if part.child().due().is_some_and(|due| due <= now) {
                part.start(&notify, verbose);
            }
        }
        self.views.renew();
    }

    /// Tells the service manager and whoever watches that every listener accepts.
    fn announce(&mut self) {
        if self.announced || !self.parts().all(|part| part.child().is_ready()) {
            return;
        }
        self.announced = true;
        self.manager.tell(&[NotifyState::Ready]);
        for part in self.parts() {
            output::note(&part.announcement());
        }
        if self.is_sandbox {
            output::note(
                "sandbox: reach it from another terminal with \"netnsctl run --sandbox NAME\"",
            );
        }
        output::note("ready");
    }

    fn publish(&self) {
        let forwards = self.forwarders.iter().map(|forwarder| PublishedForward {
            key: forward_key(&forwarder.netns, &forwarder.forward),
            control: forwarder.control_path.clone(),
        });
        let state = State {
            pid: std::process::id(),
            config: self.config.clone(),
            forwards: forwards.collect(),
        };
        if let Err(error) = self.folder.publish(&state) {
            output::error(
                &format!(
                    "cannot tell \"netnsctl status\" about the forwards: {}",
                    words(&error)
                ),
                None,
            );
        }
    }

    /// Reads the configuration again and changes what differs. A mistake changes nothing. Who is
    /// told of the reload is told of its end when every listener accepts again.
    fn reload(&mut self) {
        let reloading = NotifyState::monotonic_usec_now();
        self.manager.tell(&[
            NotifyState::Reloading,
            reloading.unwrap_or(NotifyState::Reloading),
        ]);
        output::note("reading the configuration again");
        let desired = config_files::load_or_report(&self.config)
            .and_then(|desired| refuse_chroot(&desired).map(|()| desired));
        match desired {
            Ok(desired) => self.change_to(desired),
            Err(failure) => {
                failure.report();
                output::note("everything goes on as before");
                if self.announced {
                    self.manager.tell(&[NotifyState::Ready]);
                }
            }
        }
    }

    fn change_to(&mut self, desired: Desired) {
        let old = std::mem::replace(&mut self.desired, desired);
        let kept = &self.desired.netns;
        let mut gone: BTreeSet<_> = old.netns.into_keys().collect();
        gone.append(&mut self.unremoved);
        gone.retain(|name| !kept.contains_key(name));
        // First, as what is new may take the place of what goes.
        self.leave(&gone);
        if self.take_down(&gone) != Exit::Done {
            // Those that were removed in full are nothing to do the next time.
            self.unremoved = gone;
        }
        if let Err(failure) = self.bring_up_namespaces(None) {
            failure.report();
        }
        self.reconcile();
    }

    fn reap(&mut self) {
        // A child that is missed here is missed for good: its signal has been read.
        while let Ok(Some((pid, status))) = retry_on_intr(|| wait(WaitOptions::NOHANG)) {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            let how = match (status.exit_status(), status.terminating_signal()) {
                (Some(status), _) => format!("exited with status {status}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => continue,
            };
            if self.draining.remove(&pid).is_none() {
                self.parts_mut().any(|part| part.ended(pid, &how));
            }
        }
    }

    /// Ends the children, then takes away those namespaces that `goes` names. A sandbox goes by
    /// itself.
    fn stop(mut self, goes: impl Fn(&NetnsName) -> bool) -> Exit {
        self.manager.tell(&[NotifyState::Stopping]);
        for mut forwarder in std::mem::take(&mut self.forwarders) {
            // Dropped at once: its sockets would keep the namespaces alive.
            self.draining.extend(forwarder.end());
        }
        for mut daemon in std::mem::take(&mut self.daemons) {
            self.draining.extend(daemon.end());
        }
        self.wait_for_children(|_, _| true);
        if self.is_sandbox {
            return Exit::Done;
        }
        let declared = self.desired.netns.keys();
        let names = declared.chain(&self.unremoved).filter(|name| goes(name));
        let exit = self.take_down(&names.cloned().collect());
        let state = StateDir::lock();
        drop(self.folder);
        match state.and_then(StateDir::remove_if_empty) {
            Ok(()) => exit,
            Err(error) => Failure::from(error).report(),
        }
    }

    /// Waits until the draining children that `which` picks are gone, and helps after a while.
    fn wait_for_children(&mut self, which: impl Fn(u32, &NetnsRef) -> bool) {
        let deadline = Instant::now() + STOP_PATIENCE;
        let mut patient = true;
        loop {
            self.reap();
            let left = self
                .draining
                .iter()
                .filter(|(pid, netns)| which(**pid, netns));
            let left: Vec<u32> = left.map(|(pid, _)| *pid).collect();
            if left.is_empty() {
                return;
            }
            if patient && Instant::now() > deadline {
                patient = false;
                left.iter().for_each(|pid| signal(*pid, Signal::KILL));
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
        let report = teardown::down(names, teardown::Options::default(), &state);
        match report.and_then(|report| teardown::forget_home_if_last(&state).map(|()| report)) {
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
