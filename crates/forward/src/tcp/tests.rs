//! What only a clock of one's own can show, and what no socket test can provoke.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::context::Shared;
use crate::listener::{Protocol, bind_listener};
use crate::options::Options;

/// How often something is tried that the kernel does in its own time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does `step` until `done`.
fn until(
    tcp: &mut Tcp,
    core: &mut Core<'_>,
    step: fn(&mut Tcp, &mut Core<'_>),
    done: fn(&Core<'_>) -> bool,
) {
    let start = Instant::now();
    while !done(core) {
        assert!(start.elapsed() < PATIENCE, "{:?}", core.counters);
        step(tcp, core);
    }
}

/// Tells of an event of the first connection.
fn tell(tcp: &mut Tcp, core: &mut Core<'_>, kind: Kind, event: EventFlags) {
    let token = Token {
        kind,
        generation: 1,
        index: 0,
    };
    tcp.event(token, event, core);
}

#[test]
fn traffic_keeps_a_half_closed_connection_from_being_given_up() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options::new(target.local_addr().unwrap().into());
    let timeout = options.half_close_timeout;
    let shared = Shared::new(options).unwrap();
    let mut core = Core::new(&shared, 0).unwrap();
    let listener = bind_listener(Protocol::Tcp, "127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = Listener::from_fd(listener).unwrap();
    let client = TcpStream::connect(listener.address().inet().unwrap()).unwrap();
    let Ok(mut tcp) = Tcp::new(vec![listener], &mut core) else {
        panic!("it cannot be watched")
    };
    let accept = |tcp: &mut Tcp, core: &mut Core<'_>| tcp.accept(0, core);
    until(&mut tcp, &mut core, accept, |core| {
        core.counters.tcp.connections_now == 1
    });
    let (mut served, _) = target.accept().unwrap();
    let open = |tcp: &mut Tcp, core: &mut Core<'_>| tell(tcp, core, Kind::Target, EventFlags::OUT);
    until(&mut tcp, &mut core, open, |core| {
        core.counters.tcp.connecting_now == 0
    });
    assert_eq!(tcp.deadline(), None);

    client.shutdown(Shutdown::Write).unwrap();
    let end = EventFlags::IN | EventFlags::RDHUP;
    let start = Instant::now();
    while tcp.deadline().is_none() {
        assert!(start.elapsed() < PATIENCE, "the end was not noticed");
        tell(&mut tcp, &mut core, Kind::Client, end);
    }
    assert_eq!(tcp.deadline(), Some(core.now + timeout));

    core.now += timeout / 2;
    served.write_all(b"x").unwrap();
    let carry = |tcp: &mut Tcp, core: &mut Core<'_>| tell(tcp, core, Kind::Target, EventFlags::IN);
    until(&mut tcp, &mut core, carry, |core| {
        core.counters.tcp.bytes_to_client == 1
    });
    assert_eq!(tcp.deadline(), Some(core.now + timeout));
    core.now += timeout - Duration::from_nanos(1);
    tcp.expire(&mut core);
    assert_eq!(tcp.len(), 1);
    core.now += Duration::from_nanos(1);
    tcp.expire(&mut core);
    assert_eq!((tcp.len(), core.counters.tcp.resets), (0, 1));
}
