//! What a look at many namespaces costs, in system calls. Times differ from one machine and one run to
//! the next; the number of calls does not.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use netnsctl_inject::{Verdict, spawn};

use crate::net::link;
use crate::support::{configure, expect, netnsctl};

/// Calls that `plan` makes for each namespace: 27 in the namespace, 5 for its name, 4 for its record, 12 for
/// its files and what a kill may have left of them, one for its view.
const PLAN: i64 = 49;

/// Those, and what `status` asks of forwards and name-service daemons: whether their sockets are there.
const STATUS: i64 = 51;

/// How often each system call was made, by its number.
type Calls = BTreeMap<libc::c_long, i64>;

/// Calls that are not counted: those that ask for memory depend on the C library, and debug builds look at
/// every descriptor that is closed (fcntl).
const OTHERS: [libc::c_long; 7] = [
    libc::SYS_fcntl,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
];

/// Namespaces with a base link, a veth pair and a forward each.
fn declaration(count: u16) -> String {
    let declare = |number: u16| {
        format!(
            "[netns.n{number}]\ninterface = \"base\"\naddress = [\"10.20.0.{number}/24\", \"fd00::{number}/64\"]\n\
             [[netns.n{number}.veth]]\npeer_interface = \"v{number}\"\n\
             [[netns.n{number}.forward]]\nlisten = \"127.0.0.1:8080\"\nconnect = \"127.0.0.1:80\"\n"
        )
    };
    (1..=count).map(declare).collect()
}

/// How often the program makes each system call.
fn calls(arguments: &[&str]) -> Calls {
    let counted = Arc::new(Mutex::new(BTreeMap::new()));
    let count = Arc::clone(&counted);
    let mut command = netnsctl(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let (mut child, watcher) = spawn(&mut command, move |call| {
        if !OTHERS.contains(&call.number) {
            *count.lock().unwrap().entry(call.number).or_default() += 1;
        }
        Verdict::Continue
    })
    .unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    watcher.join().unwrap();
    counted.lock().unwrap().clone()
}

/// Each namespace more takes at most `most` calls more.
#[track_caller]
fn each_takes_at_most(most: i64, arguments: &[&str], few: &Calls, many: &Calls, between: i64) {
    let more: BTreeMap<_, _> = many
        .iter()
        .map(|(number, count)| {
            (
                *number,
                count - few.get(number).copied().unwrap_or_default(),
            )
        })
        .filter(|(_, more)| *more != 0)
        .collect();
    let each = more.values().sum::<i64>().div_euclid(between);
    assert!(
        each <= most,
        "{arguments:?} takes {each} calls for each namespace, more than {most}; by their numbers, for \
         {between} namespaces: {more:?}"
    );
}

#[netnsctl_machine::test]
fn a_look_takes_few_calls_for_each_namespace() {
    const FEW: u16 = 4;
    const MANY: u16 = 12;
    // What `plan` asks of each namespace, and what `status` asks beside it.
    let looks: [(&[&str], i64); 2] = [(&["plan"], PLAN), (&["status"], STATUS)];
    let mut counted = Vec::new();
    for count in [FEW, MANY] {
        configure(&declaration(count));
        expect(0, &["up"]);
        assert!(link(&format!("n{count}"), "base").up);
        counted.push(looks.map(|(arguments, _)| calls(arguments)));
    }
    for (n, (arguments, most)) in looks.iter().enumerate() {
        let between = i64::from(MANY - FEW);
        each_takes_at_most(*most, arguments, &counted[0][n], &counted[1][n], between);
    }
}
