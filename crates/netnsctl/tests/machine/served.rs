//! A running `serve`, and the test as its service manager.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, eventually, netnsctl};

/// A running `serve`. Killed when dropped.
pub(crate) struct Served {
    child: Child,
    notify: UnixDatagram,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Served {
    /// Starts `netnsctl serve ARGUMENTS` and waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn ready(arguments: &[&str]) -> Self {
        let mut served = Self::start(arguments);
        served.wait_ready();
        served
    }

    /// Starts `netnsctl serve ARGUMENTS`.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_as(netnsctl(&[&["serve"], arguments].concat()))
    }

    /// Starts `command`, which becomes a `serve`.
    pub(crate) fn start_as(command: Command) -> Self {
        Self::start_by(command, |command| {
            command.spawn().expect("the program can be started")
        })
    }

    /// Has `start` start `command`, which becomes a `serve`.
    pub(crate) fn start_by(
        mut command: Command,
        start: impl FnOnce(&mut Command) -> Child,
    ) -> Self {
        let path = "/run/test-notify";
        // Another `serve` of the test may have had one there.
        let _ = std::fs::remove_file(path);
        let notify = UnixDatagram::bind(path).expect("/run is ours");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).expect("a mode");
        notify
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out can be set");
        command
            .env("NOTIFY_SOCKET", path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = start(&mut command);
        let stderr = child.stderr.take().expect("a pipe");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                into.lock().expect("no test panics here").push(line);
            }
        });
        Self {
            child,
            notify,
            lines,
            reader,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it tells its service manager next, as lines.
    #[track_caller]
    pub(crate) fn message(&self) -> Vec<String> {
        let mut buffer = [0; 1024];
        let count = self.notify.recv(&mut buffer);
        let count = count.unwrap_or_else(|_| panic!("it said nothing more:\n{}", self.text()));
        let text = String::from_utf8_lossy(&buffer[..count]);
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub(crate) fn wait_ready(&mut self) {
        assert_eq!(self.message(), ["READY=1"], "{}", self.text());
    }

    /// Whether it tells its service manager something that has `word`, or ends, within `time`.
    /// What it tells before is dropped.
    pub(crate) fn tells_within(&self, word: &str, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 1024];
        let mut told = false;
        while let Some(left) = deadline.checked_duration_since(Instant::now())
            && !told
            && is_alive(self.pid())
        {
            let wait = left.clamp(Duration::from_millis(1), Duration::from_millis(50));
            self.notify
                .set_read_timeout(Some(wait))
                .expect("a time-out can be set");
            let count = self.notify.recv(&mut buffer).unwrap_or(0);
            told = String::from_utf8_lossy(&buffer[..count]).contains(word);
        }
        self.notify
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out can be set");
        told
    }

    /// Tells it to reload and waits until it has.
    #[track_caller]
    pub(crate) fn reload(&mut self) {
        self.begin_reload();
        self.wait_ready();
    }

    /// Tells it to reload and waits until it says so.
    #[track_caller]
    pub(crate) fn begin_reload(&mut self) {
        self.signal(Signal::HUP);
        let message = self.message();
        assert_eq!(message[0], "RELOADING=1");
        let time = message[1].strip_prefix("MONOTONIC_USEC=");
        assert!(time.is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time > 0)));
    }

    /// Everything on its stderr so far.
    pub(crate) fn text(&self) -> String {
        self.lines.lock().expect("no test panics here").join("\n")
    }

    /// Waits until its stderr has `text`.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let found = || self.text().contains(text).then_some(());
        eventually(&format!("{text:?} on stderr"), found);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits until it and its forwarders have ended and all they said is read.
    #[track_caller]
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let status = eventually("the end of serve", || {
            self.child.try_wait().expect("it is our child")
        });
        eventually("the end of its stderr", || {
            self.reader.is_finished().then_some(())
        });
        status
    }

    /// Tells it to end and wants a good end.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.exit().code(), Some(0), "{}", self.text());
    }

    /// The process id of its forwarder that connects to `target`.
    #[track_caller]
    pub(crate) fn forwarder(&self, target: &str) -> u32 {
        let word = format!("--connect={target}");
        eventually(&format!("the forwarder to {target}"), || {
            let mut all = forwarders(self.pid()).into_iter();
            all.find(|pid| arguments(*pid).contains(&word))
        })
    }

    /// The process id of its name-service daemon in `netns`, once it has become that.
    #[track_caller]
    pub(crate) fn daemon(&self, netns: &str) -> u32 {
        eventually(&format!("the daemon of {netns}"), || {
            // Looking at one that ends just now fails.
            let there = |pid: &u32| {
                let link = std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
                link.is_some_and(|link| link.as_os_str() == netns_called(netns).as_str())
            };
            let mut all = children(self.pid()).into_iter();
            all.find(|pid| is_part(*pid, "nscd") && there(pid))
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::support::say(&format!("serve said:\n{}", self.text()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that this test started, itself or by `serve`.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process id"), signal).expect("it is there");
}

/// The living children of `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc")
        .expect("/proc is there")
        .flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|pid| {
        status(*pid, "PPid").is_some_and(|ppid| ppid == parent.to_string()) && is_alive(*pid)
    })
    .collect()
}

/// The living children of `serve` that forward.
pub(crate) fn forwarders(serve: u32) -> Vec<u32> {
    let mut children = children(serve);
    children.retain(|pid| is_part(*pid, "forward"));
    children
}

/// Whether a process is that long-running part.
fn is_part(pid: u32, part: &str) -> bool {
    arguments(pid).get(1).is_some_and(|word| word == part)
}

/// A line of /proc/PID/status.
pub(crate) fn status(pid: u32, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    Some(value?.trim().to_owned())
}

/// Whether a process runs; one that nobody has waited for yet does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    status(pid, "State").is_some_and(|state| !state.starts_with(['Z', 'X']))
}

pub(crate) fn arguments(pid: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// The network namespace of a process, as its link says.
pub(crate) fn netns_of(pid: u32) -> String {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/net")).expect("it may be looked at");
    link.display().to_string()
}

/// The inode link of the namespace called `name`, written as [`netns_of`] does.
pub(crate) fn netns_called(name: &str) -> String {
    use std::os::unix::fs::MetadataExt;
    let meta = Path::new("/run/netns").join(name).metadata();
    format!("net:[{}]", meta.expect("the namespace is there").ino())
}
