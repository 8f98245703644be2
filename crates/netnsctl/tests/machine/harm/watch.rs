//! A program of which every system call is watched, one of which fails or is its last.

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use netnsctl_inject::{Call, Verdict};
use rustix::process::{Pid, Signal, kill_process};

use super::table::{self, Errno, Object};

/// How long a command may take. None takes a second where all is well.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How many calls count that a program makes in the same way about other processes that it finds in
/// /proc. What it does about one it does about all.
const STRANGERS: usize = 3;

/// What is to happen at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Only counted.
    Nothing,
    /// It fails, with the error of that number of those in the table.
    Fail(usize),
    /// The program is killed instead of making it.
    KillBefore,
    /// The program is killed while it makes it or soon after.
    KillDuring,
}

/// The call at which it happened.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) at: usize,
    pub(crate) call: &'static str,
    pub(crate) object: String,
    pub(crate) errno: Errno,
}

impl Hit {
    /// Whether the call is one of those by which a thread is made.
    pub(crate) fn is_of_a_thread(&self) -> bool {
        ["SYS_clone", "SYS_clone3", "SYS_mmap", "SYS_mprotect"].contains(&self.call)
    }
}

impl std::fmt::Display for Hit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let call = self.call.trim_start_matches("SYS_");
        write!(
            out,
            "call {} {call}({}) {}",
            self.at, self.object, self.errno.1
        )
    }
}

/// What is known of a process that is watched.
#[derive(Debug, Default, Clone, Copy)]
struct Process {
    /// Whether it is past the start of `main`.
    started: bool,
    /// Whether its last call was an execve(2), which may have failed.
    execs: bool,
}

/// What both sides know.
#[derive(Debug)]
struct Shared {
    at: usize,
    deed: Deed,
    count: usize,
    /// How many errors each counted call has.
    errors: Vec<usize>,
    hit: Option<Hit>,
    main: Option<u32>,
    /// Whether calls of other programs count, which the program starts.
    with_children: bool,
    processes: BTreeMap<u32, Process>,
    threads: BTreeMap<u32, u32>,
    strangers: BTreeMap<(libc::c_long, String), usize>,
}

/// A watch over one program.
#[derive(Debug, Clone)]
pub(crate) struct Watch(Arc<Mutex<Shared>>);

impl Watch {
    /// Does `deed` at the counted call number `at`, the first of which is 0.
    pub(crate) fn new(at: usize, deed: Deed) -> Self {
        Self(Arc::new(Mutex::new(Shared {
            at,
            deed,
            count: 0,
            errors: Vec::new(),
            hit: None,
            main: None,
            with_children: true,
            processes: BTreeMap::new(),
            threads: BTreeMap::new(),
            strangers: BTreeMap::new(),
        })))
    }

    /// Lets only those calls count that the program makes before it or a child of it becomes another.
    pub(crate) fn alone(self) -> Self {
        self.shared().with_children = false;
        self
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts from here on again, and does `deed` at call `at`.
    pub(crate) fn again(&self, at: usize, deed: Deed) {
        let mut shared = self.shared();
        shared.at = at;
        shared.deed = deed;
        shared.count = 0;
        shared.errors.clear();
        shared.hit = None;
        shared.strangers.clear();
    }

    /// How many errors each call had that was counted.
    pub(crate) fn errors(&self) -> Vec<usize> {
        self.shared().errors.clone()
    }

    /// Every process that was started, and their children.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.shared().processes.keys().copied().collect()
    }

    /// How many calls counted so far.
    pub(crate) fn count(&self) -> usize {
        self.shared().count
    }

    /// Where it happened, if it did.
    pub(crate) fn hit(&self) -> Option<Hit> {
        self.shared().hit.clone()
    }

    /// Starts the program.
    pub(crate) fn start(&self, command: &mut Command) -> Child {
        let shared = Arc::clone(&self.0);
        let decide = move |call: &Call| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.decide(call)
        };
        let (child, _) = netnsctl_inject::spawn(command, decide).expect("calls can be watched");
        child
    }

    /// Runs the program to its end; none if it does not end in time.
    pub(crate) fn run(&self, command: &mut Command) -> Option<Output> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = self.start(command);
        within_deadline(child)
    }
}

/// What a child printed and how it ended; none if it had to be killed for taking too long.
pub(crate) fn within_deadline(child: Child) -> Option<Output> {
    let pid = child.id();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let ended = receive.recv_timeout(DEADLINE);
    if ended.is_err() {
        kill(pid);
    }
    Some(ended.ok()?.expect("it is our child"))
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // It may have ended just now.
    let _ = kill_process(pid.expect("a process id"), Signal::KILL);
}

impl Shared {
    fn decide(&mut self, call: &Call) -> Verdict {
        let process = self.process_of(call.thread);
        if !self.has_started(process, call) {
            return Verdict::Continue;
        }
        let Some((entry, object)) = self.counted(call) else {
            return Verdict::Continue;
        };
        let at = self.count;
        self.count += 1;
        let errors = entry.3;
        self.errors.push(errors.len());
        let verdict = if at == self.at && self.deed != Deed::Nothing {
            let choice = match self.deed {
                Deed::Fail(choice) => choice % errors.len(),
                _ => 0,
            };
            self.hit = Some(Hit {
                at,
                call: entry.1,
                object,
                errno: errors[choice],
            });
            self.carry_out(errors[choice].0)
        } else {
            Verdict::Continue
        };
        if matches!(call.number, libc::SYS_execve) && verdict == Verdict::Continue {
            self.processes.entry(process).or_default().execs = true;
        }
        verdict
    }

    fn carry_out(&self, errno: i32) -> Verdict {
        let main = self.main.expect("something was called");
        match self.deed {
            Deed::Nothing => {}
            Deed::Fail(_) => return Verdict::Fail(errno),
            Deed::KillBefore => kill(main),
            Deed::KillDuring => drop(std::thread::spawn(move || kill(main))),
        }
        Verdict::Continue
    }

    /// The process a thread belongs to. A new one is as far as its parent.
    fn process_of(&mut self, thread: u32) -> u32 {
        if let Some(process) = self.threads.get(&thread) {
            return *process;
        }
        // Who is gone already does nothing more.
        let known = netnsctl_inject::process(thread);
        let (process, parent) = known.unwrap_or((thread, 0));
        self.threads.insert(thread, process);
        self.main.get_or_insert(process);
        let like = self.processes.get(&parent).copied().unwrap_or_default();
        self.processes.entry(process).or_insert(like);
        process
    }

    /// Whether a process is past the start of `main`: that begins with a look at three streams.
    fn has_started(&mut self, process: u32, call: &Call) -> bool {
        let state = self.processes.entry(process).or_default();
        // The loader of a program starts with this call.
        if state.execs && call.number == libc::SYS_brk && call.arguments[0] == 0 {
            state.started = false;
        }
        state.execs = false;
        if state.started {
            return true;
        }
        #[cfg(target_arch = "x86_64")]
        let polls = [libc::SYS_poll, libc::SYS_ppoll];
        #[cfg(not(target_arch = "x86_64"))]
        let polls = [libc::SYS_ppoll];
        let may_start = self.with_children || self.main == Some(process);
        state.started = may_start && polls.contains(&call.number) && call.int(1) == 3;
        false
    }

    /// What counts of a call, and what it is about.
    fn counted(&mut self, call: &Call) -> Option<(&'static table::Entry, String)> {
        let entry = table::entry(call)?;
        let object = match entry.2 {
            Object::Nothing => String::new(),
            about => table::object(call, about),
        };
        if let Some(shape) = self.stranger(&object) {
            let seen = self.strangers.entry((call.number, shape)).or_default();
            *seen += 1;
            if *seen > STRANGERS {
                return None;
            }
        }
        Some((entry, object))
    }

    /// A path in /proc of another process, without its numbers.
    fn stranger(&self, object: &str) -> Option<String> {
        let pid = object.strip_prefix("/proc/")?.split('/').next()?;
        let pid: u32 = pid.parse().ok()?;
        let is_own = self.threads.contains_key(&pid);
        (!is_own).then(|| object.replace(|letter: char| letter.is_ascii_digit(), ""))
    }
}
