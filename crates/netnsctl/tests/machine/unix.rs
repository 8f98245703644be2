//! Forwards from and to unix sockets.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::process::Signal;

use crate::forward::ready;
use crate::served::{Served, is_alive, send, status};
use crate::support::{PATIENCE, command, configure, eventually, expect, netnsctl, say};
use crate::traffic::{connect, expect_answer, expect_end, serve_tcp};

/// A server at `path` that answers everything with "unix " and what it got.
fn serve_unix(path: &str) {
    let listener = UnixListener::bind(path).expect("the path is free");
    let everybody = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(path, everybody).expect("it is ours");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    let answer = [b"unix ", &buffer[..count]].concat();
                    if stream.write_all(&answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// Connects to `path`, which must come about at once, and wants `text` back behind `greeting`.
#[track_caller]
fn expect_unix_answer(path: &str, greeting: &str, text: &str) {
    let mut stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(text.as_bytes()).expect("it is read");
    let mut answer = vec![0; greeting.len() + text.len()];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, format!("{greeting}{text}").as_bytes());
}

fn is_socket(path: &str) -> bool {
    let meta = Path::new(path).symlink_metadata();
    meta.is_ok_and(|meta| meta.file_type().is_socket())
}

#[netnsctl_machine::test]
fn a_port_leads_to_a_unix_socket() {
    configure(
        "[netns.left]\n[[netns.left.forward]]\nlisten = \"127.0.0.1:1001\"\nconnect = \"unix:/run/my app.sock\"\n",
    );
    let mut served = Served::ready(&[]);
    served.wait_for("forward tcp 127.0.0.1:1001 in netns \"left\" to unix:/run/my app.sock");
    expect_end(&mut connect("left", "127.0.0.1:1001"));
    serve_unix("/run/my app.sock");
    expect_answer(&mut connect("left", "127.0.0.1:1001"), "unix ", "hello");
    let text = expect(0, &["status"]).stdout;
    assert!(
        text.contains("tcp 127.0.0.1:1001 → unix:/run/my app.sock running"),
        "{text}"
    );
    assert!(text.contains("ENOENT"), "{text}");
    // Only root becomes nobody; others stay who they are, and may.
    std::fs::set_permissions("/run/my app.sock", std::fs::Permissions::from_mode(0o600)).unwrap();
    let forwarder = served.forwarder("unix:/run/my app.sock");
    let mut client = connect("left", "127.0.0.1:1001");
    if status(forwarder, "Uid").unwrap().starts_with("65534") {
        expect_end(&mut client);
        assert!(expect(0, &["status"]).stdout.contains("EACCES"));
    } else {
        expect_answer(&mut client, "unix ", "still");
    }
    served.stop();
}

/// One forward from a unix socket into a namespace.
fn config(path: &str, more: &str) -> String {
    format!(
        "[netns.right]\n[[netns.default.forward]]\nlisten = \"unix:{path}\"\nnetns = \"right\"\n\
         connect = \"127.0.0.1:2001\"\n{more}\n"
    )
}

#[netnsctl_machine::test]
fn a_unix_socket_leads_into_a_namespace() {
    configure(&config("/run/in.sock", ""));
    let mut served = Served::ready(&[]);
    served.wait_for("forward unix:/run/in.sock to 127.0.0.1:2001 in netns \"right\"");
    serve_tcp("right", "127.0.0.1:2001", "tcp ");
    expect_unix_answer("/run/in.sock", "tcp ", "hello");
    let mode = Path::new("/run/in.sock").metadata().unwrap().mode();
    assert_eq!(mode & 0o7777, 0o666);
    let text = expect(0, &["status"]).stdout;
    let line = "tcp unix:/run/in.sock → right 127.0.0.1:2001 running";
    assert!(text.contains(line), "{text}");
    let json = expect(0, &["status", "--json"]).stdout;
    assert!(json.contains("\"unix:/run/in.sock\""), "{json}");
    served.stop();
    assert!(!is_socket("/run/in.sock"));

    // Killed, it leaves the file behind, and the next one takes its place.
    let mut served = Served::ready(&[]);
    let forwarder = served.forwarder("127.0.0.1:2001");
    served.signal(Signal::KILL);
    served.exit();
    eventually("its forwarder's end", || {
        (!is_alive(forwarder)).then_some(())
    });
    assert!(is_socket("/run/in.sock"));
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "new ");
    expect_unix_answer("/run/in.sock", "new ", "again");
    served.stop();
    assert!(!is_socket("/run/in.sock"));
}

#[netnsctl_machine::test]
fn a_unix_socket_comes_and_goes_with_its_declaration() {
    configure(&config("/run/one.sock", ""));
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "tcp ");
    let inode = || Path::new("/run/one.sock").metadata().unwrap().ino();
    let (first, forwarder) = (inode(), served.forwarder("127.0.0.1:2001"));
    configure(&config("/run/one.sock", "drain = \"1s\""));
    served.reload();
    assert_eq!(inode(), first);
    // The old one may still be about to end.
    eventually("another forwarder", || {
        (served.forwarder("127.0.0.1:2001") != forwarder).then_some(())
    });
    expect_unix_answer("/run/one.sock", "tcp ", "the same socket");
    configure(&config("/run/two.sock", ""));
    served.reload();
    assert!(!is_socket("/run/one.sock"));
    expect_unix_answer("/run/two.sock", "tcp ", "another");
    served.stop();
    assert!(!is_socket("/run/two.sock"));
}

#[netnsctl_machine::test]
fn a_unix_socket_of_somebody_else_is_left_alone() {
    serve_unix("/run/in.sock");
    configure(&config("/run/in.sock", ""));
    let error = expect(1, &["serve"]).stderr;
    let words = "cannot bind for unix:/run/in.sock: Address already in use (EADDRINUSE)";
    assert!(error.contains(words), "{error}");
    expect_unix_answer("/run/in.sock", "unix ", "undisturbed");
    configure(&config("/run/nowhere/in.sock", ""));
    let error = expect(1, &["serve"]).stderr;
    let words = "unix:/run/nowhere/in.sock: No such file or directory (ENOENT)";
    assert!(error.contains(words), "{error}");
}

/// A folder of another user, and one of root. Returns whether there is another user.
fn folders() -> bool {
    for folder in ["/run/users", "/run/roots"] {
        std::fs::create_dir(folder).unwrap();
    }
    // Without root there is one user only.
    chown("/run/users", Some(1000), Some(1000)).is_ok()
}

#[netnsctl_machine::test]
fn a_link_of_another_user_leads_no_unix_socket_elsewhere() {
    if !folders() {
        return say("SKIPPED: needs two users");
    }
    symlink("/run/roots", "/run/users/link").unwrap();
    configure(&config("/run/users/link/in.sock", ""));
    let mut served = Served::ready(&[]);
    served.wait_for(
        "warning: the socket unix:/run/users/link/in.sock can be replaced: user 1000 owns the \
         folder \"/run/users\"",
    );
    served.stop();
    assert!(!is_socket("/run/roots/in.sock"));
    lchown("/run/users/link", Some(1000), None).unwrap();
    let error = expect(1, &["serve"]).stderr;
    let words = "cannot open the folder for unix:/run/users/link/in.sock: \
                 Too many levels of symbolic links (ELOOP)";
    assert!(
        error.contains(words) && error.contains("hint: links of other"),
        "{error}"
    );
    // Nobody can change what this path leads to.
    configure(&config("/run/roots/in.sock", ""));
    let mut served = Served::ready(&[]);
    assert!(!served.text().contains("warning"), "{}", served.text());
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    assert!(table.contains(" /run/roots/in.sock\n"), "{table}");
    served.stop();
}

#[netnsctl_machine::test]
fn by_hand_an_abandoned_unix_socket_is_replaced() {
    serve_unix("/run/target.sock");
    let words = [
        "forward",
        "--listen",
        "unix:/run/in.sock",
        "--connect",
        "unix:/run/target.sock",
    ];
    for round in ["first", "second"] {
        let mut forward = ready(netnsctl(&words));
        expect_unix_answer("/run/in.sock", "unix ", round);
        send(forward.id(), Signal::TERM);
        assert_eq!(forward.exit(), Some(0));
        assert!(is_socket("/run/in.sock"));
    }
    let datagrams = [
        "forward",
        "--listen",
        "udp:127.0.0.1:1001",
        "--connect",
        "unix:/run/target.sock",
    ];
    let wrong = |arguments: &[&str], words: &str| {
        let error = expect(2, &[&["forward"], arguments].concat()).stderr;
        assert!(error.contains(words) && error.contains("hint: "), "{error}");
    };
    let to = ["--connect", "127.0.0.1:1"];
    let listen = ["--listen", "udp:unix:/run/app.sock"];
    wrong(&[listen, to].concat(), "which carries no udp");
    let listen = ["--proxy-protocol", "--listen", "udp:127.0.0.1:1002"];
    wrong(&[&listen[..], &to].concat(), "no PROXY header");
    let error = expect(2, &datagrams).stderr;
    assert!(error.contains("UDP 127.0.0.1:1001"), "{error}");
    assert!(error.contains("hint: "), "{error}");
}

#[netnsctl_machine::test]
fn a_service_manager_may_pass_a_unix_socket() {
    serve_unix("/run/target.sock");
    let listener = UnixListener::bind("/run/in.sock").unwrap();
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
    let script = format!(
        "exec 3<&{}; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" forward --connect unix:/run/target.sock",
        listener.as_raw_fd()
    );
    let mut shell = command("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_netnsctl")]);
    let _forward = ready(shell);
    expect_unix_answer("/run/in.sock", "unix ", "passed");
}
