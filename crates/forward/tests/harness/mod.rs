//! Starts forwarders and targets, and waits for conditions instead of for time.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{PipeWriter, Read, Write, pipe};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use netnsctl_forward::{
    ConnectTarget, Control, Counters, Listener, Options, Orders, Protocol, RunError, bind_listener,
    run, seal,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// How long a condition may take before the test counts as failed. No test passes by waiting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running forwarder. Dropping it stops it at once and fails the test if it had failed.
pub(crate) struct Forwarder {
    /// Where it listens, in the order asked for.
    pub(crate) at: Vec<SocketAddr>,
    control: SocketPath,
    /// Where orders go that [`obey`](Self::obey) understands.
    orders: UnixDatagram,
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Forwarder {
    /// Starts one that forwards all of `listen` (ports 0 are chosen) as `options` say.
    pub(crate) fn start(listen: &[(Protocol, &str)], options: Options) -> Self {
        let bind = |&(protocol, address): &(Protocol, &str)| {
            let fd = bind_listener(protocol, address.parse().unwrap()).unwrap();
            Listener::from_fd(fd).unwrap()
        };
        Self::of(listen.iter().map(bind).collect(), options)
    }

    /// Starts one that forwards what comes in at `listeners`. It is sealed as the program's is, so
    /// that every test shows what a sealed one can do.
    pub(crate) fn of(listeners: Vec<Listener>, mut options: Options) -> Self {
        options.seal = can_seal(&options.connect);
        let inet = |it: &Listener| it.address().inet();
        let at = listeners.iter().filter_map(inet).collect();
        let control = SocketPath::new();
        let server = UnixListener::bind(&*control).unwrap();
        let (reader, stop) = pipe().unwrap();
        let (ready, is_ready) = mpsc::channel();
        let (orders, taken) = UnixDatagram::pair().unwrap();
        let thread = thread::spawn(move || {
            let ready = || ready.send(()).unwrap();
            let control = Control {
                counters: Some(server),
                orders: Some(Orders::new(taken, |order| obey(order, options.clone()))),
            };
            run(listeners, control, reader.as_fd(), &options, ready)
        });
        is_ready.recv_timeout(PATIENCE).unwrap();
        Self {
            at,
            control,
            orders,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// One for TCP from `listen` to `target`, with the default options.
    pub(crate) fn tcp(listen: &str, target: SocketAddr) -> Self {
        Self::start(&[(Protocol::Tcp, listen)], Options::new(target.into()))
    }

    /// As [`tcp`](Self::tcp), with options that `change` changes.
    pub(crate) fn tcp_with(
        listen: &str,
        target: SocketAddr,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let mut options = Options::new(target.into());
        change(&mut options);
        Self::start(&[(Protocol::Tcp, listen)], options)
    }

    /// A connection through it.
    pub(crate) fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.at[0]).unwrap())
    }

    /// Gives it an order.
    pub(crate) fn order(&self, order: &str) {
        self.orders.send(order.as_bytes()).unwrap();
    }

    /// Gives it an order and waits until it is followed.
    pub(crate) fn becomes(&self, order: &str) {
        self.order(order);
        self.until(|it| it.options == order);
    }

    /// The address of its control socket.
    pub(crate) fn control_address(&self) -> SocketAddrUnix {
        SocketAddrUnix::new(&*self.control).unwrap()
    }

    /// A connection to its control socket.
    pub(crate) fn control(&self) -> UnixStream {
        UnixStream::connect(&*self.control).unwrap()
    }

    /// Its counters now.
    pub(crate) fn counters(&self) -> Counters {
        let mut text = String::new();
        self.control().read_to_string(&mut text).unwrap();
        Counters::parse(&text).unwrap()
    }

    /// Waits until the counters satisfy `condition` and returns them.
    pub(crate) fn until(&self, condition: impl Fn(&Counters) -> bool) -> Counters {
        let start = Instant::now();
        loop {
            let counters = self.counters();
            if condition(&counters) {
                return counters;
            }
            assert!(start.elapsed() < PATIENCE, "still {counters:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Orders it to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until it has ended.
    pub(crate) fn join(mut self) {
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

/// The options `KEY VALUE`, and the first ones for the rest.
fn obey(order: &[u8], mut options: Options) -> Result<Options, String> {
    let text = str::from_utf8(order).map_err(|error| error.to_string())?;
    options.label = text.to_owned();
    match text.split_once(' ') {
        Some(("connect", target)) => {
            options.connect = target.parse().map_err(|_| "no target".to_owned())?;
        }
        Some(("most", most)) => {
            options.max_connections = Some(most.parse().map_err(|_| "no number".to_owned())?);
        }
        Some(("workers", workers)) => {
            options.workers = workers.parse().map_err(|_| "no number".to_owned())?;
        }
        _ => return Err("no order".to_owned()),
    }
    Ok(options)
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.stop.take();
        // Left to itself, since its connections may last as long as the test's sockets do.
        if self.thread.take().is_some_and(|thread| {
            thread.is_finished() && !thread::panicking() && thread.join().unwrap().is_err()
        }) {
            panic!("the forwarder failed");
        }
    }
}

/// Whether this kernel can seal a thread in full. CI's must.
#[expect(clippy::print_stderr, reason = "what a test cannot show is said")]
fn can_seal(connect: &ConnectTarget) -> bool {
    let connect = connect.clone();
    let missing = thread::spawn(move || seal(&connect)).join().unwrap();
    for layer in &missing {
        assert!(std::env::var_os("CI").is_none(), "CI is set, and {layer}");
        eprintln!("SKIPPED: the forwarder is not sealed here: {layer}");
    }
    missing.is_empty()
}

/// A path for a socket that no other test has. What stands there goes with it.
#[derive(Debug)]
pub(crate) struct SocketPath(PathBuf);

impl SocketPath {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("forward-test-{}-{number}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl std::ops::Deref for SocketPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Makes reads and writes fail, and so the test, instead of hanging for ever.
pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// As [`patient`], for a unix socket.
pub(crate) fn patient_unix(stream: UnixStream) -> UnixStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A target at `address` that serves each connection on a thread of its own.
pub(crate) fn serve(
    address: &str,
    serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    // Longer than the 128 of the standard library: what is aborted while the queue is full is
    // never accepted.
    rustix::net::listen(&listener, 4096).unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        loop {
            // Without a descriptor to spare, wait for one: that is the forwarder's trouble to show.
            let Ok((stream, _)) = listener.accept() else {
                continue;
            };
            let serve = serve.clone();
            thread::spawn(move || serve(patient(stream)));
        }
    });
    at
}

/// A target that sends back what it gets, and ends when the client has.
pub(crate) fn echo(address: &str) -> SocketAddr {
    serve(address, |stream| {
        let _ = std::io::copy(&mut &stream, &mut &stream);
        let _ = stream.shutdown(Shutdown::Write);
    })
}

/// A port nothing listens on. It stays bound, so nothing will.
pub(crate) fn refusing(address: &str) -> (SocketAddr, OwnedFd) {
    let family = if address.starts_with('[') {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let socket = rustix::net::socket(family, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &address.parse::<SocketAddr>().unwrap()).unwrap();
    let at = rustix::net::getsockname(&socket)
        .unwrap()
        .try_into()
        .unwrap();
    (at, socket)
}

/// A target that answers no further SYN: its queue is full, so the kernel drops them.
pub(crate) struct Silent {
    pub(crate) at: SocketAddr,
    pub(crate) listener: TcpListener,
    queued: Vec<OwnedFd>,
}

impl Silent {
    pub(crate) fn new() -> Self {
        let mut silent = Self::answering();
        silent.fill();
        silent
    }

    /// One that has a place for one connection yet.
    pub(crate) fn answering() -> Self {
        let flags = SocketFlags::CLOEXEC;
        let family = AddressFamily::INET;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = TcpListener::from(socket);
        let at = listener.local_addr().unwrap();
        Self {
            at,
            listener,
            queued: Vec::new(),
        }
    }

    /// Fills the queue: loopback answers within the call or not at all; a few more make sure.
    pub(crate) fn fill(&mut self) {
        for _ in 0..4 {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let family = AddressFamily::INET;
            let client = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
            let _ = rustix::net::connect(&client, &self.at);
            self.queued.push(client);
        }
    }

    /// Answers again. Gives the next connection that sends something, and that; those that filled
    /// the queue end without a byte.
    pub(crate) fn accept(&mut self) -> (TcpStream, Vec<u8>) {
        self.queued.clear();
        // With room for all, or who is turned away again asks ever more seldom.
        rustix::net::listen(&self.listener, 4096).unwrap();
        loop {
            let mut stream = patient(self.listener.accept().unwrap().0);
            let mut bytes = vec![0; 100];
            if let Ok(length @ 1..) = stream.read(&mut bytes) {
                bytes.truncate(length);
                return (stream, bytes);
            }
        }
    }
}

/// `length` bytes that do not repeat in step with any buffer.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Sends `payload`, ends the sending direction, and returns all that comes back.
pub(crate) fn exchange<'s, S>(stream: &'s S, payload: &[u8]) -> Vec<u8>
where
    S: AsFd + Sync,
    &'s S: Read + Write,
{
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut writer = stream;
            writer.write_all(payload).unwrap();
            rustix::net::shutdown(stream, rustix::net::Shutdown::Write).unwrap();
        });
        let mut answer = Vec::new();
        let mut stream = stream;
        stream.read_to_end(&mut answer).unwrap();
        answer
    })
}

/// Makes the close of `stream` a reset.
pub(crate) fn abort(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// Asserts that the next read tells of a reset.
pub(crate) fn assert_reset(mut stream: &TcpStream) {
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
