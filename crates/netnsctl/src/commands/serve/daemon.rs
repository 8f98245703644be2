//! The name-service daemon of a namespace and the socket it answers at.
//!
//! It runs in the namespace and in its view, so the files and name servers it asks are those of
//! the namespace. The view shows the folder of its socket where programs look for a daemon.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use netnsctl_base::netns::Netns;
use netnsctl_daemon::{SocketFile, bind_unix_listener};
use netnsctl_kernel::names;
use netnsctl_kernel::place;
use netnsctl_model::config::values::write_duration;
use netnsctl_model::desired::Nscd;
use netnsctl_model::etc_files::directory;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_sys::spawn::{self, Activated};
use netnsctl_view as view;
use netnsctl_view::nscd;
use rustix::process::Signal;

use super::child::{Child, Part, environment, start_process, words};
use super::forwarder::{path_taken, retry};
use crate::output::Failure;

/// The daemon of a namespace.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) name: NetnsName,
    cache: Duration,
    netns: Netns,
    listener: OwnedFd,
    file: SocketFile,
    child: Child,
}

impl Daemon {
    /// Makes the socket, and the folder for it. Until `deadline` somebody may still listen there.
    pub(super) fn new(
        name: NetnsName,
        declared: &Nscd,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let netns = names::open(&name)?;
        nscd::make(&name)?;
        let (listener, file) = retry(deadline, || bind_unix_listener(&nscd::socket(&name)))
            .map_err(|error| path_taken(&error, &nscd::socket(&name)).within(name.as_str()))
            .inspect_err(|_| drop(nscd::remove_if_empty(&name)))?;
        Ok(Self {
            name,
            cache: declared.cache,
            netns,
            listener,
            file,
            child: Child::new(),
        })
    }

    /// Whether its socket is still the one that clients in the namespace find.
    pub(super) fn is_found(&self) -> bool {
        self.file.is_there() && self.has_namespace()
    }

    fn has_namespace(&self) -> bool {
        place::is_still(&self.name.clone().into(), &self.netns)
    }

    /// Takes on a changed declaration; the socket stays. Gives the process that was told to end.
    pub(super) fn change(&mut self, declared: &Nscd) -> Option<(u32, NetnsRef)> {
        if self.cache == declared.cache {
            return self.follow();
        }
        self.cache = declared.cache;
        self.end_for_another()
    }

    /// Leaves a view that gave way to another one. Gives the process that was told to end.
    pub(super) fn follow(&mut self) -> Option<(u32, NetnsRef)> {
        let pid = self.child.pid()?;
        // One that is not ready yet may be on its way there. If it is not known where the process
        // is, another one is started in the right view.
        let is_there = || matches!(view::has(&self.name, pid), Ok(true));
        if !self.child.is_ready() || is_there() || !self.has_namespace() {
            return None;
        }
        self.end_for_another()
    }

    fn end_for_another(&mut self) -> Option<(u32, NetnsRef)> {
        let old = self.end();
        self.child.begin_anew();
        old
    }
}

impl Part for Daemon {
    fn child(&self) -> &Child {
        &self.child
    }

    fn child_mut(&mut self) -> &mut Child {
        &mut self.child
    }

    fn what(&self) -> String {
        format!("the name-service daemon of netns \"{}\"", self.name)
    }

    fn announcement(&self) -> String {
        format!("nscd in netns \"{}\"", self.name)
    }

    fn keeps(&self) -> NetnsRef {
        NetnsRef::Named(self.name.clone())
    }

    fn spawn(&self, notify: &Path, _verbose: bool) -> Result<u32, Failure> {
        // A view made now would be left behind by who took it down.
        if !self.has_namespace() {
            return Err(Failure::failed("the namespace it was declared for is gone"));
        }
        let arguments = words(vec![
            "netnsctl".to_owned(),
            "nscd".to_owned(),
            format!("--cache={}", write_duration(self.cache)),
            format!("--files={}", directory(&self.name)),
        ])?;
        let mut environment = environment(notify);
        // Where modules of the name service are found on systems that keep none in /lib.
        let modules = OsStr::new("LD_LIBRARY_PATH");
        let found = std::env::var_os(modules);
        environment.extend(found.and_then(|found| spawn::variable(modules, &found)));
        let mounts = view::mounts(&self.name)?;
        let child = Activated {
            program: c"/proc/self/exe",
            arguments: &arguments,
            environment: &environment,
            sockets: &[("nscd", self.listener.as_fd())],
            netns: self.netns.as_fd(),
            mounts: Some(mounts.as_fd()),
            parent_death_signal: Signal::KILL.as_raw(),
        };
        start_process(&child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.file.remove();
        // What stays is an empty folder, which `down` removes.
        let _ = nscd::remove_if_empty(&self.name);
    }
}
