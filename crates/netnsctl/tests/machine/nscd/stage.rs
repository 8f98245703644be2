//! A machine with databases of its own, a client written in C, and a daemon to ask.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::forward::{Forwarder, ready};
use crate::support::{PATIENCE, command, netnsctl};

/// Where glibc looks for a daemon.
pub(super) const SOCKET: &str = "/run/nscd/socket";

/// Where the test's own module is; all may read it, as the daemon is nobody.
const LIBRARIES: &str = "/run/lib";

/// Members of the big group.
const MEMBERS: usize = 20_000;

/// Writes the databases and builds the client and the module. No daemon answers yet.
pub(super) fn set() {
    let member = |number: usize| format!("member-with-a-long-name-{number}");
    let members: Vec<_> = (0..MEMBERS).map(member).collect();
    let more: String = (0..200)
        .map(|it| format!("g{it}:x:{}:ann\n", 3000 + it))
        .collect();
    put(
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001:Ann,,,:/home/ann:/bin/bash\nempty::4294967294:5:::\n",
    );
    put(
        "group",
        &format!(
            "root:x:0:\nteam:x:2000:ann,bob\nbig:x:2001:{}\n{more}",
            members.join(",")
        ),
    );
    put(
        "hosts",
        "127.0.0.1 localhost\n::1 localhost\n192.0.2.1 one.test one uno\n192.0.2.2 two.test\n\
         192.0.2.3 two.test\n2001:db8::2 two.test\n2001:db8::6 six.test six\n",
    );
    put("services", "ssh 22/tcp\nweb 80/tcp www http\nweb 80/udp\n");
    put(
        "netgroup",
        "inner (h2,u2,d2)\nouter (h1,u1,d1) (,u3,) inner\n",
    );
    put(
        "resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n",
    );
    put(
        "nsswitch.conf",
        "passwd: files testing\ngroup: files\nhosts: files testing dns\nservices: files\nnetgroup: files\n",
    );
    std::fs::create_dir_all(LIBRARIES).expect("/run is ours");
    std::fs::create_dir_all("/run/nscd").expect("/run is ours");
    compile("client.c", &["-o", "/run/client"]);
    let library = format!("{LIBRARIES}/libnss_testing.so.2");
    compile("module.c", &["-shared", "-fPIC", "-o", &library]);
}

/// Replaces a file of /etc, which may be a link to the host's, unless it says that already: a file
/// that is replaced takes what is bound over it away.
pub(crate) fn put(name: &str, text: &str) {
    let path = Path::new("/etc").join(name);
    if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return;
    }
    let _ = std::fs::remove_file(&path);
    std::fs::write(path, text).expect("/etc is ours");
}

fn compile(source: &str, arguments: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine/nscd");
    let mut compiler = command("cc");
    compiler.arg(folder.join(source)).args(arguments);
    assert!(
        compiler.status().expect("a C compiler").success(),
        "{source}"
    );
}

/// A daemon at the usual place, once it is ready.
pub(super) fn daemon(more: &[&str]) -> Forwarder {
    let mut command = netnsctl(&["nscd", "--socket", SOCKET]);
    command.args(more).env("LD_LIBRARY_PATH", LIBRARIES);
    ready(command)
}

/// A program that finds the test's module.
pub(super) fn program(name: &str) -> Command {
    let mut command = command(name);
    command.env("LD_LIBRARY_PATH", LIBRARIES);
    command
}

/// What the client prints for these questions.
#[track_caller]
pub(super) fn ask(questions: &str) -> String {
    let mut client = program("/run/client");
    client.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = client.spawn().expect("it was built");
    let mut stdin = client.stdin.take().expect("a pipe");
    stdin.write_all(questions.as_bytes()).expect("it reads");
    drop(stdin);
    let output = client.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{questions}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A request as bytes.
pub(super) fn request(kind: i32, key: &[u8]) -> Vec<u8> {
    let length = i32::try_from(key.len()).expect("a short key");
    let header = [2, kind, length].map(i32::to_ne_bytes).concat();
    [&header, key].concat()
}

/// Connects and sends bytes.
#[track_caller]
pub(super) fn connect(bytes: &[u8]) -> UnixStream {
    connect_to(SOCKET, bytes)
}

#[track_caller]
fn connect_to(path: &str, bytes: &[u8]) -> UnixStream {
    let mut stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(bytes).expect("it is read");
    stream
}

/// All that comes back until the end.
#[track_caller]
pub(super) fn read(mut stream: UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A connection that ends in an error has ended.
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer"),
        _ => bytes,
    }
}

/// The daemon's own counts.
#[track_caller]
pub(super) fn statistics() -> serde_json::Value {
    statistics_of(SOCKET)
}

#[track_caller]
fn statistics_of(path: &str) -> serde_json::Value {
    let answer = read(connect_to(path, &request(9, b"")));
    serde_json::from_slice(&answer).expect("a line of JSON")
}

/// How many requests of a kind had an outcome.
#[track_caller]
pub(super) fn count(kind: &str, outcome: &str) -> u64 {
    count_of(SOCKET, kind, outcome)
}

/// How many requests of a kind had an outcome at the daemon that listens at `path`.
#[track_caller]
pub(crate) fn count_of(path: &str, kind: &str, outcome: &str) -> u64 {
    statistics_of(path)["requests"][kind][outcome]
        .as_u64()
        .unwrap_or(0)
}

/// Answers questions of resolvers on port 53.
pub(super) fn serve_names() {
    let socket = UdpSocket::bind("127.0.0.1:53").expect("the port is free");
    answer_names(socket, [192, 0, 2, 9]);
}

/// Answers questions of resolvers by the first label; `real` is the one IPv4 address there is.
pub(crate) fn answer_names(socket: UdpSocket, real: [u8; 4]) {
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let answer = name_answer(&buffer[..length], real);
            let _ = socket.send_to(&answer, client);
        }
    });
}

/// A reply to a question with one name (RFC 1035): `real.test` has addresses of both families,
/// `nick.test` is another name of it, `void.test` has none, `fail.test` cannot be told now, and
/// others do not exist.
fn name_answer(question: &[u8], real: [u8; 4]) -> Vec<u8> {
    let end = 12
        + question[12..]
            .iter()
            .position(|byte| *byte == 0)
            .expect("a name")
        + 5;
    let name = &question[12..end - 4];
    let kind = question[end - 3];
    let first = name[1..].split(|byte| !byte.is_ascii_alphabetic()).next();
    let (code, records): (u8, Vec<Vec<u8>>) = match (first.unwrap_or_default(), kind) {
        (b"real", 1) => (0, vec![record(1, &real)]),
        (b"real", 28) => (0, vec![record(28, &std::net::Ipv6Addr::LOCALHOST.octets())]),
        (b"nick", 1) => {
            let mut records = vec![record(5, b"\x04real\x04test\0")];
            records.push(
                [
                    b"\x04real\x04test\0".to_vec(),
                    record(1, &real)[2..].to_vec(),
                ]
                .concat(),
            );
            (0, records)
        }
        (b"nick" | b"void", _) => (0, Vec::new()),
        (b"fail", _) => (2, Vec::new()),
        _ => (3, Vec::new()),
    };
    let count = u8::try_from(records.len()).expect("few records");
    let header = [
        question[0],
        question[1],
        0x81,
        0x80 | code,
        0,
        1,
        0,
        count,
        0,
        0,
        0,
        0,
    ];
    [&header, &question[12..end], &records.concat()].concat()
}

/// A record of the name that was asked for.
fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).expect("short data");
    [&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length], data].concat()
}
