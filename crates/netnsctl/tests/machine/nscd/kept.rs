//! Answers from the daemon's cache.

use super::QUESTIONS;
use super::stage::{self, ask, connect, daemon, put, read, request, statistics};
use crate::support::{eventually, expect};

/// Answers that came from the cache.
fn from_cache() -> u64 {
    statistics()["from_cache"].as_u64().expect("a number")
}

/// Asks until an answer comes from the cache, which takes a moment after a file was changed; gives
/// that answer.
#[track_caller]
fn ask_kept(question: &str) -> String {
    eventually("an answer from the cache", || {
        let before = from_cache();
        let answer = ask(question);
        (from_cache() > before).then_some(answer)
    })
}

#[netnsctl_machine::test]
fn nscd_keeps_answers_until_a_file_changes() {
    stage::set();
    let _daemon = daemon(&["--cache", "1h"]);
    assert!(ask_kept("user ann\n").contains("/home/ann"));
    assert!(ask_kept("user new\n").contains("no user, Success"));
    assert!(ask_kept("groups ann\n").contains("2000"));
    assert!(ask_kept("host4 one\n").contains("192.0.2.1"));
    assert!(ask_kept("addresses two.test\n").contains("2001:db8::2"));
    assert!(ask_kept("service www -\n").contains("80/tcp"));
    assert!(ask_kept("netgroup outer\n").contains("(h1,u1,d1)"));
    // Each change counts for the very next question.
    for home in ["/first", "/other", "/third"] {
        put(
            "passwd",
            &format!("ann:x:1:1::{home}:\nnew:x:2:2::{home}:\n"),
        );
        let answers = ask("user ann\nuser new\nuid 1\n");
        assert_eq!(answers.matches(home).count(), 3, "{answers}");
    }
    put("hosts", "192.0.2.8 one two.test\n");
    assert!(ask("host4 one\n").contains("192.0.2.8"));
    assert!(ask("addresses two.test\n").contains(": 192.0.2.8"));
    assert!(ask_kept("user ann\n").contains("/third"));
    // What must not be kept: errors, and questions left to the client.
    let before = from_cache();
    assert!(ask("user broken\nuser broken\n").contains("Input/output error"));
    assert_eq!(from_cache(), before);
}

/// Without a cache as with one: what came from files alone is not read anew while they are the same.
#[netnsctl_machine::test]
fn nscd_gives_again_what_unchanged_files_say() {
    stage::set();
    let direct = ask(QUESTIONS);
    let _daemon = daemon(&[]);
    ask_kept("user ann\n");
    for _ in 0..2 {
        assert_eq!(ask(QUESTIONS), direct);
    }
    let of_files = "uid 0\ngroup team\ngid 2000\ngroups ann\ngroups nosuch\ngroup nosuch\n\
                    service www -\nservice nosuch -\nnetgroup outer\n";
    let before = from_cache();
    ask(of_files);
    assert_eq!(from_cache(), before + 9);
    // Another module may know more, or say something else the next time.
    ask("user nosuch\nuser odd\nhost4 one\naddresses two.test\nhost4 nosuch.test\n");
    assert_eq!(from_cache(), before + 9);
    put("passwd", "ann:x:7:7::/moved:\n");
    assert!(ask("user ann\n").contains("/moved"));
    ask_kept("user ann\n");
    // Who is asked first counts at once, too.
    put("nsswitch.conf", "passwd: testing files\ngroup: files\n");
    let before = from_cache();
    for _ in 0..3 {
        assert!(ask("user ann\n").contains("/moved"));
    }
    assert_eq!(from_cache(), before);
    ask_kept("group team\n");
}

#[netnsctl_machine::test]
fn nscd_forgets_when_root_says_so() {
    stage::set();
    let _daemon = daemon(&["--cache", "1h"]);
    ask_kept("user odd\n");
    ask_kept("service www -\n");
    assert_eq!(read(connect(&request(10, b"passwd\0"))), 0i32.to_ne_bytes());
    assert_eq!(
        read(connect(&request(10, b"nonsense\0"))),
        22i32.to_ne_bytes()
    );
    let before = from_cache();
    ask("user odd\n");
    assert_eq!(from_cache(), before);
    ask("user odd\nservice www -\n");
    assert_eq!(from_cache(), before + 2);
    let ran = expect(2, &["nscd", "--socket", "/run/x", "--cache", "soon"]);
    assert!(ran.stderr.contains("--cache: "), "{}", ran.stderr);
}
