//! Unix sockets at either end.

use std::io::{IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netnsctl_daemon::bind_unix_listener;
use netnsctl_forward::{
    ConnectTarget, Control, Listener, Options, Protocol, RunError, bind_listener, run,
};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType,
};

use crate::harness::{
    Forwarder, PATIENCE, SocketPath, abort, assert_reset, echo, exchange, noise, patient_unix,
};

const MIB: usize = 1 << 20;

/// A listener of the forwarder at a new path.
fn listener() -> (Listener, SocketPath) {
    let path = SocketPath::new();
    let (fd, _) = bind_unix_listener(&path).unwrap();
    (Listener::from_fd(fd).unwrap(), path)
}

fn tcp() -> Listener {
    let address = "127.0.0.1:0".parse().unwrap();
    Listener::from_fd(bind_listener(Protocol::Tcp, address).unwrap()).unwrap()
}

fn connect(path: &Path) -> UnixStream {
    patient_unix(UnixStream::connect(path).unwrap())
}

/// A target at a new path that hands each of its connections to `serve` on a thread.
fn serve(serve: impl Fn(UnixStream) + Send + Clone + 'static) -> SocketPath {
    let path = SocketPath::new();
    let listener = UnixListener::bind(&*path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(patient_unix(stream)));
        }
    });
    path
}

/// The default options, to the unix socket at `path`.
fn to(path: &Path) -> Options {
    Options::new(ConnectTarget::Unix(path.to_owned()))
}

fn unix_echo() -> SocketPath {
    serve(|stream| {
        let _ = std::io::copy(&mut &stream, &mut &stream);
        let _ = stream.shutdown(Shutdown::Write);
    })
}

/// A target at a new path with room for `room` connections that it has not accepted yet.
fn crowded(room: usize) -> (UnixListener, SocketPath, Vec<UnixStream>) {
    let path = SocketPath::new();
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(&*path).unwrap()).unwrap();
    // The kernel lets one more in than it was told to.
    rustix::net::listen(&socket, i32::try_from(room).unwrap() - 1).unwrap();
    let inside = (0..room).map(|_| connect(&path)).collect();
    (socket.into(), path, inside)
}

#[test]
fn connections_are_carried_whole_from_and_to_unix_sockets() {
    let (at, path) = listener();
    let target = unix_echo();
    let to_unix = Forwarder::of(vec![at, tcp()], to(&target));
    let (at, other_path) = listener();
    let to_tcp = Forwarder::of(vec![at], Options::new(echo("127.0.0.1:0").into()));
    for (seed, length) in [(1, 0), (2, 1), (3, 65_536), (4, 5 * MIB + 7)] {
        let payload = noise(length, seed);
        assert!(exchange(&connect(&path), &payload) == payload, "{length}");
        assert!(exchange(&to_unix.connect(), &payload) == payload);
        assert!(exchange(&connect(&other_path), &payload) == payload);
    }
    let bytes = (1 + 65_536 + 5 * MIB + 7) as u64;
    let carried = to_unix.until(|it| it.tcp.connections_now == 0).tcp;
    assert_eq!(carried.bytes_to_target, 2 * bytes);
    assert_eq!(carried.bytes_to_client, 2 * bytes);
    assert_eq!((carried.connections_ever, carried.resets), (8, 0));
    let carried = to_tcp.until(|it| it.tcp.connections_now == 0).tcp;
    assert_eq!((carried.bytes_to_client, carried.resets), (bytes, 0));
}

#[test]
fn a_target_that_ended_its_side_still_gets_the_upload() {
    let (listener, path) = listener();
    let (send, received) = mpsc::channel();
    let target = serve(move |mut stream| {
        stream.write_all(b"go").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut upload = Vec::new();
        stream.read_to_end(&mut upload).unwrap();
        send.send(upload).unwrap();
    });
    let forwarder = Forwarder::of(vec![listener], to(&target));
    let mut stream = connect(&path);
    let mut greeting = Vec::new();
    stream.read_to_end(&mut greeting).unwrap();
    assert_eq!(greeting, b"go");
    stream.write_all(&noise(2 * MIB, 9)).unwrap();
    drop(stream);
    assert!(received.recv_timeout(PATIENCE).unwrap() == noise(2 * MIB, 9));
    let counters = forwarder.until(|it| it.tcp.connections_now == 0).tcp;
    assert_eq!(
        (counters.bytes_to_target, counters.resets),
        (2 * MIB as u64, 0)
    );
}

#[test]
fn a_target_that_is_not_there_is_counted_by_what_is_missing() {
    let path = SocketPath::new();
    let forwarder = Forwarder::of(vec![tcp()], to(&path));
    assert_reset(&forwarder.connect());
    forwarder.until(|it| it.tcp.connect_errors.get("ENOENT") == Some(&1));
    let listener = UnixListener::bind(&*path).unwrap();
    let mut client = forwarder.connect();
    listener.accept().unwrap().0.write_all(b"here").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    drop(listener);
    assert_reset(&forwarder.connect());
    forwarder.until(|it| it.tcp.connect_errors.get("ECONNREFUSED") == Some(&1));
}

#[test]
fn clients_wait_in_order_for_a_target_that_is_slow_to_accept() {
    let (target, at, inside) = crowded(2);
    let forwarder = Forwarder::of(vec![tcp()], to(&at));
    let mut clients = Vec::new();
    for number in 0..80_u8 {
        let mut client = forwarder.connect();
        client.write_all(&[number]).unwrap();
        clients.push(client);
        forwarder.until(|it| it.tcp.connecting_now == u64::from(number) + 1);
    }
    // One who leaves does not keep the others waiting.
    abort(clients.remove(40));
    forwarder.until(|it| it.tcp.connections_now == 79 && it.tcp.connecting_now == 79);
    drop(inside);
    for _ in 0..2 {
        target.accept().unwrap();
    }
    for number in (0..80_u8).filter(|number| *number != 40) {
        let mut served = patient_unix(target.accept().unwrap().0);
        let mut byte = [0];
        served.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [number]);
        served.write_all(&byte).unwrap();
    }
    for (number, client) in (0..80_u8).filter(|number| *number != 40).zip(&clients) {
        assert_eq!(exchange(client, &[]), [number]);
    }
    let counters = forwarder.until(|it| it.tcp.connections_now == 0).tcp;
    assert!(counters.connect_errors.is_empty(), "{counters:?}");
}

#[test]
fn who_waits_too_long_for_a_target_is_reset() {
    let (_target, at, _inside) = crowded(1);
    let mut options = to(&at);
    options.connect_timeout = Duration::from_millis(50);
    let forwarder = Forwarder::of(vec![tcp()], options);
    let clients: Vec<TcpStream> = (0..5).map(|_| forwarder.connect()).collect();
    clients.iter().for_each(assert_reset);
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.connect_errors["ETIMEDOUT"], 5);
}

#[test]
fn a_target_that_leaves_unread_what_it_got_resets_the_client() {
    let target = serve(|mut stream| {
        stream.read_exact(&mut [0; 1]).unwrap();
    });
    let forwarder = Forwarder::of(vec![tcp()], to(&target));
    let mut client = forwarder.connect();
    client.write_all(b"more than one byte").unwrap();
    assert_reset(&client);
    assert_eq!(
        forwarder.until(|it| it.tcp.connections_now == 0).tcp.resets,
        1
    );
}

#[test]
fn a_reset_of_the_client_ends_the_connection_to_the_target() {
    let (target, at, inside) = crowded(1);
    drop(inside);
    target.accept().unwrap();
    let forwarder = Forwarder::of(vec![tcp()], to(&at));
    let mut client = forwarder.connect();
    let mut served = patient_unix(target.accept().unwrap().0);
    client.write_all(b"hello").unwrap();
    served.read_exact(&mut [0; 5]).unwrap();
    abort(client);
    assert_eq!(served.read(&mut [0; 5]).unwrap(), 0);
    assert_eq!(
        forwarder.until(|it| it.tcp.connections_now == 0).tcp.resets,
        1
    );
}

#[test]
fn bytes_behind_a_passed_descriptor_are_carried_at_once() {
    let (target, at, inside) = crowded(1);
    let (listener, path) = listener();
    let forwarder = Forwarder::of(vec![listener], to(&at));
    let client = connect(&path);
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let passed = [client.as_fd()];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&passed)));
    let (text, flags) = ([IoSlice::new(b"a")], SendFlags::empty());
    rustix::net::sendmsg(&client, &text, &mut ancillary, flags).unwrap();
    (&client).write_all(b"b").unwrap();
    // When it answers it has seen the events of both, and no other will come.
    forwarder.until(|it| it.tcp.connecting_now == 1);
    drop(inside);
    target.accept().unwrap();
    let mut served = patient_unix(target.accept().unwrap().0);
    let mut bytes = [0; 2];
    served.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"ab");
}

#[test]
fn datagrams_cannot_lead_to_a_unix_socket() {
    let address = "127.0.0.1:0".parse().unwrap();
    let udp = Listener::from_fd(bind_listener(Protocol::Udp, address).unwrap()).unwrap();
    let (stop, _writer) = std::io::pipe().unwrap();
    let options = Options::new("unix:/run/app.sock".parse().unwrap());
    let refused = run(vec![udp], Control::default(), stop.as_fd(), &options, || {}).unwrap_err();
    assert!(matches!(refused, RunError::Datagrams { .. }), "{refused}");
}

#[test]
fn a_descriptor_of_a_unix_listener_is_recognised() {
    let path = SocketPath::new();
    let passed: OwnedFd = UnixListener::bind(&*path).unwrap().into();
    let listener = Listener::from_fd(passed).unwrap();
    let name = format!("unix:{}", path.display());
    assert_eq!(
        (listener.to_string(), listener.protocol()),
        (name, Protocol::Tcp)
    );
    let target = unix_echo();
    let _forwarder = Forwarder::of(vec![listener], to(&target));
    assert_eq!(exchange(&connect(&path), b"passed"), b"passed");
    let flags = SocketFlags::CLOEXEC;
    let packets =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    assert!(Listener::from_fd(packets).is_err());
    let silent = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let refused = Listener::from_fd(silent).unwrap_err().to_string();
    assert!(refused.contains("not listening"), "{refused}");
}
