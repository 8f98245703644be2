//! The name-service daemon, asked by real clients.

mod golden;
mod kept;
mod short;
mod stage;

use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use self::stage::{answer_names, count_of, put};

use self::stage::{SOCKET, ask, connect, count, daemon, program, read, request, statistics};
use crate::forward::{Forwarder, ready};
use crate::support::{Ran, command, eventually, expect, netnsctl, say};

/// What is asked of every function: what there is and what there is not.
const QUESTIONS: &str = "user root\nuser ann\nuser empty\nuser odd\nuser nosuch\nuid 0\nuid 4294967294\nuid 77\n\
    group team\ngroup big\ngroup nosuch\ngid 2000\ngid 77\ngroups ann\ngroups root\ngroups nosuch\n\
    host4 one.test\nhost4 uno\nhost4 two.test\nhost6 two.test\nhost6 six\nhost4 six\n\
    address4 192.0.2.1\naddress6 2001:db8::6\n\
    addresses one\naddresses two.test\naddresses six.test\naddresses4 two.test\naddresses6 two.test\n\
    service ssh tcp\nservice www -\nservice web udp\nservice ssh udp\nservice nosuch -\n\
    port 80 -\nport 80 udp\nport 1 tcp\nnetgroup outer\nnetgroup inner\nnetgroup nosuch\n\
    innetgr outer h2 u2 d2\ninnetgr outer - u1 -\ninnetgr outer any u3 any\ninnetgr outer h1 u2 -\ninnetgr nosuch - - -\n";

/// Asks the C library and then the daemon, and wants the same answers.
#[track_caller]
fn same_answers(questions: &str) -> (String, Forwarder) {
    let direct = ask(questions);
    let daemon = daemon(&[]);
    let answers = ask(questions);
    for (direct, answer) in direct.lines().zip(answers.lines()) {
        // The big group would fill the screen.
        let short = |line: &str| line.chars().take(300).collect::<String>();
        assert!(direct == answer, "{}\n{}", short(direct), short(answer));
    }
    assert_eq!(direct.len(), answers.len());
    (answers, daemon)
}

#[netnsctl_machine::test]
fn nscd_answers_as_the_c_library_does() {
    stage::set();
    let (answers, _daemon) = same_answers(QUESTIONS);
    for line in [
        "user ann: ann:x:1000:1001:Ann,,,:/home/ann:/bin/bash",
        "user odd: odd::4000000000:77:",
        "netgroup outer: 1 (h1,u1,d1) (any,u3,any) (h2,u2,d2)",
        "service www -: web 80/tcp alias www alias http",
        "host4 uno: one.test family 2 length 4 alias one alias uno 192.0.2.1",
        "innetgr outer h2 u2 d2: 1",
    ] {
        assert!(
            answers.contains(line),
            "{line} in {}",
            &answers[..2000.min(answers.len())]
        );
    }
    // It was the daemon that answered, each of them.
    // For one family getaddrinfo asks as gethostbyname2 does, if it is IPv4.
    // (getaddrinfo asks for IPv4 alone as gethostbyname2 does.)
    let asked = |words: &[&str]| {
        let is_one = |line: &&str| {
            words
                .iter()
                .any(|word| line.split(' ').next() == Some(word))
        };
        QUESTIONS.lines().filter(is_one).count() as u64
    };
    let kinds: [(&str, &[&str]); 14] = [
        ("GETPWBYNAME", &["user"]),
        ("GETPWBYUID", &["uid"]),
        ("GETGRBYNAME", &["group"]),
        ("GETGRBYGID", &["gid"]),
        ("INITGROUPS", &["groups"]),
        ("GETHOSTBYNAME", &["host4", "addresses4"]),
        ("GETHOSTBYNAMEv6", &["host6"]),
        ("GETHOSTBYADDR", &["address4"]),
        ("GETHOSTBYADDRv6", &["address6"]),
        ("GETAI", &["addresses", "addresses6"]),
        ("GETSERVBYNAME", &["service"]),
        ("GETSERVBYPORT", &["port"]),
        ("GETNETGRENT", &["netgroup"]),
        ("INNETGR", &["innetgr"]),
    ];
    for (kind, what) in kinds {
        let outcomes = ["found", "not_found", "try_again"];
        let answered: u64 = outcomes.iter().map(|outcome| count(kind, outcome)).sum();
        assert_eq!(answered, asked(what), "{kind} in {}", statistics());
    }
}

#[netnsctl_machine::test]
fn nscd_answers_as_the_name_server_does() {
    stage::set();
    stage::serve_names();
    let (answers, _daemon) = same_answers(
        "host4 real.test\nhost6 real.test\nhost4 nick.test\nhost4 void.test\nhost4 fail.test\nhost4 none.test\n\
         addresses real.test\naddresses nick.test\naddresses none.test\naddresses4 real.test\n\
         address4 192.0.2.77\nhost4 again\nhost6 again\n",
    );
    assert!(
        answers.contains("host4 nick.test: real.test family 2 length 4 alias nick.test 192.0.2.9"),
        "{answers}"
    );
    assert!(
        answers.contains("addresses nick.test: 192.0.2.9 canonical real.test"),
        "{answers}"
    );
    // Not there, without an address, and not to be told now: three things.
    for line in [
        "host4 none.test: no host, h_errno 1",
        "host4 void.test: no host, h_errno 4",
        "host4 fail.test: no host, h_errno 2",
    ] {
        assert!(answers.contains(line), "{line} in {answers}");
    }
    assert_eq!(count("GETHOSTBYNAME", "try_again"), 1, "{}", statistics());
    assert_eq!(count("GETAI", "found"), 2);
}

#[netnsctl_machine::test]
fn nscd_leaves_to_clients_what_it_cannot_tell() {
    stage::set();
    stage::serve_names();
    // Each in a process of its own, which goes to the daemon first.
    for (question, kind, wanted) in [
        (
            "user again\n",
            "GETPWBYNAME",
            "Resource temporarily unavailable",
        ),
        ("user broken\n", "GETPWBYNAME", "Input/output error"),
        (
            "addresses scoped\n",
            "GETAI",
            "fe80::77 scope 1 canonical scoped",
        ),
        (
            "addresses fail.test\n",
            "GETAI",
            "Temporary failure in name resolution",
        ),
        (
            "addresses void.test\n",
            "GETAI",
            "No address associated with hostname",
        ),
    ] {
        let _ = std::fs::remove_file(SOCKET);
        let direct = ask(question);
        let _daemon = daemon(&[]);
        assert_eq!(ask(question), direct);
        assert!(direct.contains(wanted), "{direct}");
        assert_eq!(
            count(kind, "left_to_client"),
            1,
            "{question}{}",
            statistics()
        );
    }
    // A module that never has enough memory is stopped.
    let _ = std::fs::remove_file(SOCKET);
    let _daemon = daemon(&[]);
    let answer = read(connect(&request(0, b"greedy\0")));
    assert_eq!(answer[4..8], (-1i32).to_ne_bytes());
}

#[track_caller]
fn getent(arguments: &[&str]) -> String {
    let ran = Ran::of(program("getent").args(arguments).output().expect("getent"));
    format!("{:?} {}{}", ran.status, ran.stdout, ran.stderr)
}

#[netnsctl_machine::test]
fn nscd_answers_getent_for_every_database() {
    stage::set();
    let questions = [
        ["passwd", "ann"],
        ["passwd", "1000"],
        ["group", "team"],
        ["initgroups", "ann"],
        ["hosts", "one.test"],
        ["hosts", "192.0.2.2"],
        ["ahosts", "two.test"],
        ["ahostsv6", "six"],
        ["services", "web"],
        ["services", "22/tcp"],
        ["netgroup", "outer"],
        ["passwd", "nosuch"],
    ];
    let direct: Vec<_> = questions.iter().map(|it| getent(it)).collect();
    let _daemon = daemon(&[]);
    let answers: Vec<_> = questions.iter().map(|it| getent(it)).collect();
    assert_eq!(answers, direct);
    assert!(direct[0].contains("Ann,,,"), "{direct:?}");
    for kind in [
        "GETPWBYNAME",
        "GETPWBYUID",
        "GETGRBYNAME",
        "INITGROUPS",
        "GETAI",
        "GETSERVBYNAME",
        "GETNETGRENT",
    ] {
        assert!(count(kind, "found") > 0, "{kind} in {}", statistics());
    }
}

#[netnsctl_machine::test]
fn nscd_answers_python() {
    stage::set();
    let script = "import pwd, grp, socket; print(pwd.getpwnam('ann'), grp.getgrgid(2000).gr_mem, \
        socket.gethostbyname_ex('one'), socket.getaddrinfo('two.test', 80, type=socket.SOCK_STREAM), \
        socket.getservbyname('www'))";
    let run = || {
        program("python3")
            .args(["-c", script])
            .output()
            .map(Ran::of)
    };
    let direct = match run() {
        Ok(ran) if ran.status == Some(0) => ran,
        _ => {
            say("SKIPPED: there is no python3");
            let ci = std::env::var_os("CI").is_some();
            return assert!(!ci, "CI is set: that is a failure");
        }
    };
    let _daemon = daemon(&[]);
    assert_eq!(run().unwrap().stdout, direct.stdout);
    assert!(direct.stdout.contains("'192.0.2.1'"), "{}", direct.stdout);
    assert_eq!(count("GETGRBYGID", "found"), 1);
    assert_eq!(count("GETAI", "found"), 1);
}

/// How many look-ups of hosts go on.
fn hanging() -> u64 {
    statistics()["going_on"]["hosts"]
        .as_u64()
        .expect("a number")
}

#[netnsctl_machine::test]
fn nscd_answers_users_while_hosts_hang() {
    stage::set();
    let _daemon = daemon(&[]);
    let ask_for = |number: usize| connect(&request(4, format!("hang{number}\0").as_bytes()));
    let hosts: Vec<_> = (0..500).map(ask_for).collect();
    eventually("500 look-ups that hang", || {
        (hanging() == 500).then_some(())
    });
    // All the other families answer, again and again.
    let questions =
        "user ann\nuid 1000\ngroup big\ngroups ann\nservice ssh tcp\nnetgroup outer\n".repeat(20);
    let answers = ask(&questions);
    assert_eq!(answers.matches("Ann,,,").count(), 40);
    assert_eq!(count("GETPWBYNAME", "found"), 20);
    assert_eq!(hanging(), 500);
    // Beyond the bound a client is told at once to look up by itself.
    let more: Vec<_> = (500..512).map(ask_for).collect();
    eventually("512 look-ups that hang", || {
        (hanging() == 512).then_some(())
    });
    let refused = read(ask_for(512));
    assert_eq!(
        (refused.len(), &refused[4..8]),
        (32, &(-1i32).to_ne_bytes()[..])
    );
    assert!(ask("user ann\n").contains("Ann,,,"));
    assert_eq!(hanging(), 512);
    // Users that hang fill their own room, and services go on.
    let users: Vec<_> = (0..64).map(|_| connect(&request(0, b"hang\0"))).collect();
    eventually("64 users that hang", || {
        (statistics()["going_on"]["users"] == 64).then_some(())
    });
    assert!(ask("service ssh tcp\n").contains("22/tcp"));
    std::fs::write("/run/release", "").unwrap();
    for (found, streams, size) in [(0, hosts, 32), (0, more, 32), (1, users, 0)] {
        for stream in streams {
            let answer = read(stream);
            assert_eq!(answer[4..8], i32::to_ne_bytes(found));
            assert!(size == 0 || answer.len() == size);
        }
    }
    eventually("the end of all look-ups", || (hanging() == 0).then_some(()));
}

#[netnsctl_machine::test]
fn nscd_outlives_clients_that_behave_badly() {
    stage::set();
    let daemon = daemon(&[]);
    // They send nothing, a part, a lie; they leave at once, or never read a big answer.
    let mute: Vec<_> = (0..1100).map(|_| connect(b"")).collect();
    let partial = connect(&request(0, b"root\0")[..14]);
    let whole = request(0, b"ann\0");
    for bad in [
        &request(0, b"no end")[..],
        &request(77, b"x\0"),
        &[0xff; 64],
        &request(6, b"12345"),
    ] {
        assert_eq!(read(connect(bad)), b"");
    }
    let mut lie = request(0, b"root\0");
    lie[8..12].copy_from_slice(&1_000_000i32.to_ne_bytes());
    assert_eq!(read(connect(&lie)), b"");
    let late = connect(&lie[..5]);
    // By the time another client has its answer, this one waits in the lobby or is about to.
    assert!(ask("user ann\n").contains("Ann,,,"));
    rustix::io::write(&late, &lie[5..]).unwrap();
    assert_eq!(read(late), b"");
    for _ in 0..200 {
        drop(connect(&whole));
    }
    let unread: Vec<_> = (0..50).map(|_| connect(&request(2, b"big\0"))).collect();
    // Byte for byte is slow, and allowed.
    let mut slow = connect(b"");
    for byte in &whole {
        rustix::io::write(&slow, &[*byte]).unwrap();
    }
    assert_eq!(read(slow.try_clone().unwrap())[4..8], 1i32.to_ne_bytes());
    assert!(ask("user ann\n").contains("Ann,,,"));
    // Of 1,100 the lobby keeps 1,024 at most, once all have come to it.
    let closed = || mute.iter().filter(|stream| is_closed(stream)).count();
    eventually("76 to be sent away", || (closed() >= 76).then_some(()));
    // An answer of half a mebibyte comes whole to whoever reads it in time.
    let big = read(connect(&request(2, b"big\0")));
    assert!(big.len() > 500_000, "{}", big.len());
    // Each is counted, whether it came at once or in two pieces.
    assert_eq!(statistics()["malformed"], 6);
    drop((mute, partial, unread));
    slow = connect(&whole);
    assert_eq!(read(slow)[4..8], 1i32.to_ne_bytes());
    drop(daemon);
}

fn is_closed(stream: &UnixStream) -> bool {
    let flags = rustix::net::RecvFlags::DONTWAIT;
    !matches!(
        rustix::net::recv(stream, &mut [0; 8][..], flags),
        Err(rustix::io::Errno::AGAIN)
    )
}

#[netnsctl_machine::test]
fn nscd_obeys_root_alone() {
    stage::set();
    let mut daemon = daemon(&[]);
    assert_eq!(read(connect(&request(10, b"passwd\0"))), 0i32.to_ne_bytes());
    // As somebody else.
    let mut somebody = command("setpriv");
    somebody.args(["--reuid", "1", "--clear-groups", "sh", "-c"]);
    somebody.arg("printf 'raw 8\\nraw 9\\nraw 10\\nraw 1853057380\\n' | /run/client");
    match somebody.output().map(Ran::of) {
        Ok(ran) if ran.status == Some(0) => {
            assert_eq!(
                ran.stdout,
                // The last asks for the daemon's namespace, which is no secret.
                "raw 8: 0 bytes\nraw 9: 0 bytes\nraw 10: 0 bytes\nraw 1853057380: 84 bytes\n"
            );
        }
        _ => say("SKIPPED: there is nobody else here to ask"),
    }
    assert_eq!(
        read(connect(&request(0, b"ann\0")))[4..8],
        1i32.to_ne_bytes()
    );
    assert_eq!(read(connect(&request(8, b""))), b"");
    assert!(daemon.0.wait().unwrap().success());
}

#[netnsctl_machine::test]
fn nscd_takes_its_socket_from_a_service_manager() {
    stage::set();
    let listener = UnixListener::bind(SOCKET).unwrap();
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
    let start = || {
        let script = format!(
            "exec 3<&{}; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" nscd",
            listener.as_raw_fd()
        );
        let mut shell = command("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_netnsctl")]);
        ready(shell)
    };
    let mut daemon = start();
    assert!(ask("user ann\n").contains("Ann,,,"));
    assert_eq!(count("GETPWBYNAME", "found"), 1);
    let pid = Pid::from_child(&daemon.0);
    kill_process(pid, Signal::TERM).unwrap();
    assert!(daemon.0.wait().unwrap().success());
    // Who comes now waits for the next one.
    let waiting = connect(&request(0, b"ann\0"));
    let _next = start();
    assert_eq!(read(waiting)[4..8], 1i32.to_ne_bytes());
}

#[netnsctl_machine::test]
fn nscd_says_what_it_cannot_do() {
    let ran = expect(2, &["nscd"]);
    assert!(
        ran.stderr
            .contains("there is nothing to listen at\n  hint: give --socket"),
        "{}",
        ran.stderr
    );
    let ran = expect(1, &["nscd", "--socket", "/nowhere/socket"]);
    assert!(
        ran.stderr.contains("unix:/nowhere/socket: No such file"),
        "{}",
        ran.stderr
    );
    let file = std::fs::File::open("/etc").unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let script = format!(
        "exec 3<&{}; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" nscd",
        file.as_raw_fd()
    );
    let mut shell = command("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_netnsctl")]);
    let ran = Ran::of(shell.output().unwrap());
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.stderr
            .contains("the socket passed is no unix stream socket that listens"),
        "{}",
        ran.stderr
    );
}

#[netnsctl_machine::test]
fn nscd_has_no_rights() {
    stage::set();
    put("passwd", "ann:x:1000:1001::/:\n");
    let log = std::fs::File::create("/run/log").unwrap();
    let mut command = netnsctl(&["nscd", "--socket", SOCKET, "--verbose"]);
    command.stderr(log);
    let daemon = ready(command);
    assert!(ask("user ann\nhost4 nosuch\n").contains("1000"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap();
    let line = |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap();
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert!(line(set).ends_with("\t0000000000000000"), "{status}");
    }
    assert_eq!(line("NoNewPrivs:"), "NoNewPrivs:\t1");
    let log = std::fs::read_to_string("/run/log").unwrap();
    assert!(log.contains("GETPWBYNAME \"ann\" found"), "{log}");
}
