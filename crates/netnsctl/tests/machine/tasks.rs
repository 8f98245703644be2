//! At a limit on processes and threads, which systemd sets by TasksMax= and containers by pids.max.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::process::Signal;

use crate::served::{Served, is_alive, send};
use crate::support::{Ran, command, configure, eventually, expect, netnsctl, say, traces};
use crate::traffic::{connect, expect_answer, serve_tcp};

const HINT: &str =
    "hint: raise the limit on processes and threads: TasksMax= of the systemd unit, pids.max";

const SERVED: &str = "[netns.office]\ndns.nameservers = [\"192.0.2.53\"]\nnscd.enable = true\n\
     [[netns.office.forward]]\nlisten = \"127.0.0.1:1001\"\nconnect = \"127.0.0.1:2001\"\n";

/// A control group with a limit on how many processes and threads are in it. Removed when dropped, after
/// its processes have ended.
struct Limit(PathBuf);

impl Limit {
    /// One in the hierarchy that counts processes on this machine. None where this user cannot have one.
    fn new() -> Option<Self> {
        let controllers = fs::read_to_string("/proc/cgroups").unwrap_or_default();
        let is_of_v1 = |line: &str| line.starts_with("pids\t") && !line.starts_with("pids\t0\t");
        let at = "/run/test-cgroups";
        fs::create_dir(at).expect("/run is ours");
        let no_flags = MountFlags::empty();
        let mounted = match controllers.lines().any(is_of_v1) {
            true => mount("cgroup", at, "cgroup", no_flags, c"pids"),
            false => mount("cgroup2", at, "cgroup2", no_flags, None),
        };
        let folder = format!("{at}/netnsctl-test-{}", std::process::id());
        let made = mounted.and_then(|()| rustix::fs::mkdir(&folder, 0o755.into()));
        let limit = made.is_ok().then(|| Self(folder.into()));
        let limit = limit.filter(|limit| limit.0.join("pids.max").exists());
        if limit.is_none() {
            say("SKIPPED: no group of processes can be limited here; root of the machine runs it");
        }
        limit
    }

    fn set(&self, most: impl ToString) {
        fs::write(self.0.join("pids.max"), most.to_string()).expect("the group is ours");
    }

    fn count(&self) -> usize {
        let count = fs::read_to_string(self.0.join("pids.current"));
        count.expect("the group is ours").trim().parse().unwrap()
    }

    /// A command line of the program, the process of which is in the group.
    fn netnsctl(&self, arguments: &[&str]) -> Command {
        let program = netnsctl(arguments);
        let mut shell = command("/bin/sh");
        shell
            .args(["-c", "echo $$ >\"$0\" && exec \"$@\""])
            .arg(self.0.join("cgroup.procs"))
            .arg(program.get_program())
            .args(arguments)
            .env_remove("NO_COLOR")
            .env_remove("NOTIFY_SOCKET");
        shell
    }

    #[track_caller]
    fn ran(&self, arguments: &[&str]) -> Ran {
        let output = self.netnsctl(arguments).output();
        Ran::of(output.expect("there is a shell"))
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let removed = || match rustix::fs::rmdir(&self.0) {
            Err(Errno::BUSY) => None,
            result => Some(result),
        };
        let removed = eventually("the end of the processes in the group", removed);
        if !std::thread::panicking() {
            removed.expect("the group is ours");
        }
    }
}

#[track_caller]
fn lacks_a_thread(ran: &Ran, status: i32) {
    assert_eq!(ran.status, Some(status), "{ran:?}");
    let words = "cannot start a thread that ";
    assert!(ran.stderr.contains(words), "{ran:?}");
    assert!(ran.stderr.contains(HINT), "{ran:?}");
}

#[netnsctl_machine::test]
fn commands_at_a_limit_of_tasks_change_nothing_and_name_it() {
    let Some(limit) = Limit::new() else {
        return;
    };
    limit.set(1);
    configure(SERVED);
    for words in [&["plan"][..], &["status"], &["up"], &["serve"]] {
        lacks_a_thread(&limit.ran(words), 1);
    }
    expect(0, &["up", "--quiet"]);
    let all = traces();
    lacks_a_thread(&limit.ran(&["down"]), 1);
    assert_eq!(traces(), all);
    let inside = ["run", "office", "--", "cat", "/etc/resolv.conf"];
    lacks_a_thread(&limit.ran(&inside), 125);
    // With a view that is there, `run` is a single thread.
    expect(0, &inside);
    let ran = limit.ran(&inside);
    assert!(ran.stdout.contains("192.0.2.53"), "{ran:?}");
    expect(0, &["down"]);
}

/// Whether all errors of a `serve` so far say what could not be started, and what to do.
#[track_caller]
fn expect_named(text: &str) {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        assert!(!line.contains("panicked"), "{text}");
        if !line.starts_with("error: ") || line.contains(" exited with status 1; starting it") {
            continue;
        }
        let named =
            line.contains("cannot start a thread") || line.contains("cannot start a process");
        let hint = lines.peek().is_some_and(|next| next.contains(HINT));
        assert!(named && hint, "{text}");
    }
}

#[netnsctl_machine::test]
fn serve_starts_under_each_limit_of_tasks_or_says_why_not() {
    let Some(limit) = Limit::new() else {
        return;
    };
    configure(SERVED);
    serve_tcp("default", "127.0.0.1:2001", "tcp ");
    let nothing = traces();
    // One process, and then each of those that it starts and of their threads.
    for most in 1..=16 {
        limit.set(most);
        let mut served = Served::start_as(limit.netnsctl(&["serve"]));
        let is_ready = |text: &str| text.lines().any(|line| line == "ready");
        let text = eventually("an error or the start", || {
            let text = served.text();
            (is_ready(&text) || text.contains("cannot start a")).then_some(text)
        });
        let done = is_ready(&text) && !text.contains("error");
        limit.set("max");
        if most == 1 {
            assert_eq!(served.exit().code(), Some(1), "{}", served.text());
        } else {
            served.wait_ready();
            let mut client = connect("office", "127.0.0.1:1001");
            expect_answer(&mut client, "tcp ", "hello");
            drop(client);
            served.stop();
        }
        expect_named(&served.text());
        assert_eq!(traces(), nothing, "limit of {most}");
        if done {
            assert!(most > 3, "two children and a thread need more than {most}");
            return;
        }
    }
    panic!("16 are enough");
}

#[netnsctl_machine::test]
fn serve_goes_on_at_a_limit_of_tasks_and_recovers() {
    let Some(limit) = Limit::new() else {
        return;
    };
    configure(SERVED);
    serve_tcp("default", "127.0.0.1:2001", "tcp ");
    let mut served = Served::start_as(limit.netnsctl(&["serve"]));
    served.wait_ready();
    let mut client = connect("office", "127.0.0.1:1001");
    expect_answer(&mut client, "tcp ", "hello");
    limit.set(limit.count());
    served.reload();
    served.wait_for("cannot start a thread that enters network namespaces");
    expect_answer(&mut client, "tcp ", "again");
    // What has ended cannot be started again, and the other goes on.
    limit.set(1);
    kill(served.daemon("office"));
    served.wait_for(
        "cannot start the name-service daemon of netns \"office\": cannot start a thread",
    );
    expect_answer(&mut client, "tcp ", "still");
    kill(served.forwarder("127.0.0.1:2001"));
    served.wait_for("to 127.0.0.1:2001 in netns \"default\": cannot start a process");
    limit.set("max");
    // A client waits until there is a forwarder again.
    let mut client = connect("office", "127.0.0.1:1001");
    expect_answer(&mut client, "tcp ", "new");
    served.daemon("office");
    for line in served.text().lines() {
        assert!(!line.contains("panicked"), "{}", served.text());
    }
    served.reload();
    served.stop();
}

/// Kills a child of `serve`.
fn kill(pid: u32) {
    assert!(is_alive(pid));
    send(pid, Signal::KILL);
}
