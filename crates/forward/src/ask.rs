//! Asks a running forwarder for its counters.
//!
//! A forwarder has no rights, and the program that asks may be root. So a forwarder that was taken over must not be
//! able to hold the asking program up, fill its memory, or write to its terminal.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt,
};

use crate::counters::Counters;

/// Most bytes of an answer. Counters with every errno there is take 10 KiB.
const MOST: usize = 64 * 1024;

/// Asks the forwarder that listens at `control` for its counters. The whole takes at most `patience`
/// to connect, and as long to answer. Returns none if nothing listens there.
///
/// Errors: it is not known whether a forwarder runs, because the path cannot be looked at (EACCES), there
/// is no answer in time (EAGAIN, ETIMEDOUT), or the answer is empty, longer than 64 KiB or malformed.
pub fn ask(control: &Path, patience: Duration) -> io::Result<Option<Counters>> {
    let stream = match open(control, patience) {
        Ok(stream) => stream,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let text = read_answer(stream, patience)?;
    if text.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let counters = Counters::parse(&text);
    let counters = counters.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Some(counters))
}

/// Whether an error of connect(2) means that nothing listens at the path.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
    matches!(error.kind(), ConnectionRefused | NotFound | NotADirectory)
}

/// A connection; EAGAIN if the queue of the listener stays full (the timeout to send bounds
/// connect(2) too, socket(7)).
fn open(control: &Path, patience: Duration) -> io::Result<UnixStream> {
    // Most forwards that are asked do not run, and a look takes less than a socket.
    std::fs::symlink_metadata(control)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))?;
    connect(&socket, &SocketAddrUnix::new(control)?)?;
    Ok(UnixStream::from(socket))
}

fn read_answer(mut stream: UnixStream, patience: Duration) -> io::Result<String> {
    let deadline = Instant::now() + patience;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || answer.len() > MOST {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// The result of asking a forwarder that runs `serve` for each connection.
    fn asked(patience: Duration, serve: impl FnOnce(UnixStream) + Send) -> Answer {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| serve(listener.accept().unwrap().0));
            ask_shortly(&path, patience)
        })
    }

    /// The counters, or the kind of the error.
    type Answer = Result<Option<Counters>, io::ErrorKind>;

    fn ask_shortly(path: &Path, patience: Duration) -> Answer {
        ask(path, patience).map_err(|error| error.kind())
    }

    #[test]
    fn counters_come_whole_or_in_pieces() {
        let mut counters = Counters::default();
        counters.tcp.connections_ever = 7;
        let json = counters.to_json();
        let found = asked(Duration::from_secs(10), |mut stream| {
            for byte in json.as_bytes() {
                stream.write_all(&[*byte]).unwrap();
            }
        });
        assert_eq!(found, Ok(Some(counters)));
    }

    #[test]
    fn an_answer_without_end_is_given_up_before_the_time_is() {
        let found = asked(Duration::from_secs(3600), |mut stream| {
            while stream.write_all(&[b' '; 4096]).is_ok() {}
        });
        assert_eq!(found, Err(io::ErrorKind::TimedOut));
    }

    #[test]
    fn an_answer_that_drips_is_given_up_in_time() {
        let found = asked(Duration::from_millis(50), |mut stream| {
            // Each byte comes in time.
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(found, Err(io::ErrorKind::TimedOut));
    }

    #[test]
    fn a_forwarder_that_lets_nobody_in_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        // One that waits already fills a queue of no length.
        rustix::net::listen(&listener, 0).unwrap();
        let _first = UnixStream::connect(&path).unwrap();
        let found = ask_shortly(&path, Duration::from_millis(50));
        assert_eq!(found, Err(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn only_where_nothing_listens_no_forwarder_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let ask = |path: &Path| ask_shortly(path, Duration::from_secs(10));
        assert_eq!(ask(&path), Ok(None));
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(ask(&path), Ok(None));
        assert_eq!(ask(&path.join("below")), Ok(None));
        let around = folder.path().join("around");
        std::os::unix::fs::symlink(&around, &around).unwrap();
        assert!(ask(&around).is_err());
        let end = asked(Duration::from_secs(10), drop);
        assert_eq!(end, Err(io::ErrorKind::UnexpectedEof));
    }
}
