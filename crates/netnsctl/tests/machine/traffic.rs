//! Sockets in namespaces, and servers behind them. A socket stays in the namespace it was opened
//! in, so threads of the test can use it wherever they are.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::thread;

use netnsctl_base::netns;
use netnsctl_kernel::place;
use netnsctl_model::name::NetnsRef;
use netnsctl_netlink::{Batch, Socket};

use crate::support::{PATIENCE, eventually};

/// Runs `work` in a namespace; "default" is home.
#[track_caller]
pub(crate) fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let netns = NetnsRef::parse(name).expect("a namespace's name");
    let netns = place::resolve(&netns).expect("the namespace is there");
    netns::within(&netns, name, work).expect("it can be entered")
}

/// Adds the index of `interface` in `name` to a link-local address.
#[track_caller]
pub(crate) fn scoped(name: &str, address: &str, interface: &str) -> SocketAddr {
    let mut address: SocketAddrV6 = address.parse().expect("an IPv6 address");
    let index = within(name, || {
        let socket = UdpSocket::bind("[::]:0").expect("a socket");
        rustix::net::netdevice::name_to_index(&socket, interface)
    });
    address.set_scope_id(index.expect("the interface is there"));
    address.into()
}

/// A TCP connection from inside `name`.
pub(crate) fn try_connect(name: &str, address: impl Into<Address>) -> io::Result<TcpStream> {
    let Address(address) = address.into();
    let stream = within(name, || TcpStream::connect(address))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A TCP connection from inside `name`, which must come about at once.
#[track_caller]
pub(crate) fn connect(name: &str, address: impl Into<Address>) -> TcpStream {
    try_connect(name, address).expect("somebody listens")
}

/// A TCP connection from inside `name` to a forward whose target refuses: it is reset, maybe before
/// connect(2) has returned.
#[track_caller]
pub(crate) fn expect_refusal(name: &str, address: impl Into<Address>) {
    match try_connect(name, address) {
        Ok(mut refused) => expect_end(&mut refused),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

/// An address, written or made.
#[derive(Clone, Copy)]
pub(crate) struct Address(SocketAddr);

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self(text.parse().expect("ADDRESS:PORT"))
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

/// A TCP listener inside `name`.
#[track_caller]
pub(crate) fn listen(name: &str, address: impl Into<Address>) -> TcpListener {
    let Address(address) = address.into();
    within(name, || TcpListener::bind(address)).expect("the address is free")
}

/// A UDP socket inside `name`.
#[track_caller]
pub(crate) fn udp(name: &str, address: &str) -> UdpSocket {
    let socket = within(name, || UdpSocket::bind(address)).expect("the address is free");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// A TCP server inside `name` that answers everything with `greeting` and what it got.
#[track_caller]
pub(crate) fn serve_tcp(name: &str, address: impl Into<Address>, greeting: &'static str) {
    let listener = listen(name, address);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, greeting));
        }
    });
}

fn answer(mut stream: TcpStream, greeting: &str) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return stream.shutdown(Shutdown::Write);
        }
        stream.write_all(&[greeting.as_bytes(), &buffer[..count]].concat())?;
    }
}

/// A UDP server inside `name` that answers each datagram with `greeting` and what it got.
#[track_caller]
pub(crate) fn serve_udp(name: &str, address: &str, greeting: &'static str) {
    let socket = within(name, || UdpSocket::bind(address)).expect("the address is free");
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&[greeting.as_bytes(), &buffer[..count]].concat(), from);
        }
    });
}

/// Sends `text` and gives the answer, which has `extra` more bytes.
pub(crate) fn try_ask(stream: &mut TcpStream, text: &str, extra: usize) -> io::Result<String> {
    stream.write_all(text.as_bytes())?;
    let mut answer = vec![0; text.len() + extra];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Wants `text` to come back with `greeting` before it.
#[track_caller]
pub(crate) fn expect_answer(stream: &mut TcpStream, greeting: &str, text: &str) {
    let answer = try_ask(stream, text, greeting.len()).expect("an answer");
    assert_eq!(answer, format!("{greeting}{text}"));
}

/// Sends a datagram from inside `name` and wants it back with `greeting` before it.
#[track_caller]
pub(crate) fn expect_datagram(name: &str, from: &str, to: &str, greeting: &str) {
    let socket = udp(name, from);
    socket.connect(to).expect("an address");
    socket.send(b"ping").expect("a datagram can be sent");
    let mut buffer = [0; 100];
    let count = socket.recv(&mut buffer).expect("an answer");
    assert_eq!(&buffer[..count], format!("{greeting}ping").as_bytes());
}

/// Waits until the other side ends the connection, in whatever way.
#[track_caller]
pub(crate) fn expect_end(stream: &mut TcpStream) {
    let mut buffer = [0; 100];
    eventually("the end of a connection", || {
        match stream.read(&mut buffer) {
            Ok(0) => Some(()),
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => Some(()),
        }
    });
}

/// Changes links of `name` behind netnsctl's back.
pub(crate) fn change(name: &str, work: impl FnOnce(&mut Batch, &dyn Fn(&str) -> u32) + Send) {
    within(name, || {
        let mut socket = Socket::open().expect("a socket");
        let links = socket.links().expect("links");
        let index = |name: &str| {
            let link = links.iter().find(|link| link.name == name);
            link.expect("the link is there").index
        };
        let mut batch = Batch::new();
        work(&mut batch, &index);
        for result in socket.commit(batch).expect("an answer") {
            result.expect("the kernel agrees");
        }
    });
}
