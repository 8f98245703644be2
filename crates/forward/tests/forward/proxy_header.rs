//! What the target is told about the client.

#[path = "../harness/proxy.rs"]
mod proxy;

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use netnsctl_daemon::bind_unix_listener;
use netnsctl_forward::{Address, ConnectTarget, Listener, Options, Protocol, proxy_header};
use proptest::prelude::*;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use self::proxy::{Told, decode};
use crate::harness::{Forwarder, PATIENCE, SocketPath, abort, echo, exchange, noise, patient};

/// A target, and the options that lead to it with a header.
fn target(address: &str) -> (TcpListener, Options) {
    let listener = TcpListener::bind(address).unwrap();
    let mut options = Options::new(listener.local_addr().unwrap().into());
    options.proxy_protocol = true;
    (listener, options)
}

fn accept(target: &TcpListener) -> TcpStream {
    patient(target.accept().unwrap().0)
}

/// Reads a header and not a byte more.
fn read_header(stream: &mut impl Read) -> Told {
    let mut header = vec![0; 16];
    stream.read_exact(&mut header).unwrap();
    let length = u16::from_be_bytes([header[14], header[15]]);
    header.resize(16 + usize::from(length), 0);
    stream.read_exact(&mut header[16..]).unwrap();
    let (told, read) = decode(&header).unwrap();
    assert_eq!(read, header.len());
    told
}

#[test]
fn the_target_learns_of_the_client_before_it_says_anything() {
    for (listen, to) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:0", "[::1]:0"),
        ("[::1]:0", "127.0.0.1:0"),
    ] {
        let (target, options) = target(to);
        let forwarder = Forwarder::start(&[(Protocol::Tcp, listen)], options);
        let mut client = forwarder.connect();
        let mut served = accept(&target);
        let told = read_header(&mut served);
        assert_eq!(
            told,
            Told::Inet(client.local_addr().unwrap(), forwarder.at[0])
        );
        // The target may speak first.
        served.write_all(b"220 ready").unwrap();
        client.read_exact(&mut [0; 9]).unwrap();
    }
}

#[test]
fn payload_follows_the_header_whole_and_is_all_that_counts() {
    let (target, options) = target("127.0.0.1:0");
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let payload = noise(5 << 20, 6);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut served = accept(&target);
            read_header(&mut served);
            std::io::copy(&mut &served, &mut &served).unwrap();
            served.shutdown(Shutdown::Write).unwrap();
        });
        assert!(exchange(&forwarder.connect(), &payload) == payload);
    });
    let counters = forwarder.until(|it| it.tcp.connections_now == 0).tcp;
    let length = payload.len() as u64;
    assert_eq!(
        (counters.bytes_to_target, counters.bytes_to_client),
        (length, length)
    );
}

#[test]
fn a_client_that_says_nothing_is_announced_all_the_same() {
    let (target, options) = target("127.0.0.1:0");
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let client = forwarder.connect();
    let address = client.local_addr().unwrap();
    drop(client);
    let mut served = accept(&target);
    assert_eq!(
        read_header(&mut served),
        Told::Inet(address, forwarder.at[0])
    );
    assert_eq!(served.read(&mut [0; 1]).unwrap(), 0);
    drop(served);
    assert_eq!(
        forwarder
            .until(|it| it.tcp.connections_now == 0)
            .tcp
            .bytes_to_target,
        0
    );
}

#[test]
fn a_wildcard_tells_the_address_that_the_client_wrote_to() {
    let (target, options) = target("127.0.0.1:0");
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "[::]:0")], options);
    for ip in ["127.0.0.1", "127.1.2.3", "::1"] {
        let to = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), forwarder.at[0].port());
        let client = TcpStream::connect(to).unwrap();
        let told = read_header(&mut accept(&target));
        assert_eq!(told, Told::Inet(client.local_addr().unwrap(), to), "{ip}");
    }
}

/// A sun_path.
fn name(bytes: &[u8]) -> Box<[u8; 108]> {
    let mut name = Box::new([0; 108]);
    name[..bytes.len()].copy_from_slice(bytes);
    name
}

#[test]
fn a_unix_listener_tells_the_names_of_unix_sockets() {
    let path = SocketPath::new();
    let (fd, _) = bind_unix_listener(&path).unwrap();
    let to = SocketPath::new();
    let target = UnixListener::bind(&*to).unwrap();
    let mut options = Options::new(ConnectTarget::Unix(to.to_owned()));
    options.proxy_protocol = true;
    let _forwarder = Forwarder::of(vec![Listener::from_fd(fd).unwrap()], options);
    let here = name(path.as_os_str().as_encoded_bytes());
    let told = || {
        let (stream, _) = target.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        read_header(&mut &stream)
    };
    let _unnamed = UnixStream::connect(&*path).unwrap();
    assert_eq!(told(), Told::Unix(name(b""), here.clone()));
    // The longest that can be bound leaves no room for its end, and is not told.
    let long = format!("{}/{}", std::env::temp_dir().display(), "n".repeat(120));
    let mut names = vec![name(b"")];
    let mut paths = vec![long[..108].to_owned()];
    for length in [107, 40] {
        names.push(name(&long.as_bytes()[..length]));
        paths.push(long[..length].to_owned());
    }
    for (expected, own) in names.into_iter().zip(paths) {
        let _ = std::fs::remove_file(&own);
        let named = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&named, &SocketAddrUnix::new(own.as_str()).unwrap()).unwrap();
        rustix::net::connect(&named, &SocketAddrUnix::new(&*path).unwrap()).unwrap();
        assert_eq!(told(), Told::Unix(expected, here.clone()));
        std::fs::remove_file(&own).unwrap();
    }
}

#[test]
fn a_client_that_left_while_it_waited_is_no_riddle() {
    let (_target, options) = target("127.0.0.1:0");
    let address = "127.0.0.1:0".parse().unwrap();
    let fd = netnsctl_forward::bind_listener(Protocol::Tcp, address).unwrap();
    let listener = Listener::from_fd(fd).unwrap();
    let mut client = TcpStream::connect(listener.address().inet().unwrap()).unwrap();
    client.write_all(b"gone").unwrap();
    abort(client);
    let forwarder = Forwarder::of(vec![listener], options);
    let gone = forwarder.until(|it| it.tcp.connections_ever == 1 && it.tcp.connections_now == 0);
    assert!(gone.tcp.accept_errors.is_empty(), "{gone:?}");
}

#[test]
fn without_the_option_there_is_no_header() {
    let forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    assert_eq!(exchange(&forwarder.connect(), b"plain"), b"plain");
}

#[test]
fn a_header_is_read_strictly() {
    let local: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let good = proxy_header(&local.into(), &local.into());
    assert!(decode(&good).is_ok());
    for at in 0..16 {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        assert!(decode(&bad).is_err(), "byte {at}");
    }
}

fn inet() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

/// As it is told: of one family, IPv4 where both are.
fn told(client: SocketAddr, local: SocketAddr) -> Told {
    let plain = [client, local].map(|it| it.ip().to_canonical());
    let ips = match plain {
        [IpAddr::V4(_), IpAddr::V4(_)] => plain,
        _ => plain.map(|ip| match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
            IpAddr::V6(_) => ip,
        }),
    };
    Told::Inet(
        (ips[0], client.port()).into(),
        (ips[1], local.port()).into(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_addresses_are_read_back(client in inet(), local in inet(), more in any::<Vec<u8>>()) {
        let header = proxy_header(&client.into(), &local.into());
        let stream = [&header[..], &more].concat();
        prop_assert_eq!(decode(&stream), Ok((told(client, local), header.len())));
        for length in 0..header.len() {
            prop_assert!(decode(&header[..length]).is_err());
        }
    }

    #[test]
    fn any_names_are_read_back(client in "/[a-z/]{0,106}", local in "/[a-z/]{0,106}") {
        let address = |text: &str| Address::unix(Path::new(text)).unwrap();
        let header = proxy_header(&address(&client), &address(&local));
        let told = Told::Unix(name(client.as_bytes()), name(local.as_bytes()));
        prop_assert_eq!(decode(&header), Ok((told, 16 + 216)));
    }
}
