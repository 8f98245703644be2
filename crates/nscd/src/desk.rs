//! One client: its request is read, looked up and answered, all on one thread.

use std::os::fd::{AsFd, OwnedFd};

use netnsctl_sys::nss::Scratch;
use netnsctl_sys::peer::peer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::cache::Known;
use crate::family::Family;
use crate::identity::Identity;
use crate::lobby::Waiting;
use crate::lookup::{Outcome, answer, refuse};
use crate::reply::Reply;
use crate::request::{Frame, HEADER, Kind, MOST_REQUEST, Request, frame};
use crate::shared::Shared;

/// How long a thread waits for the request of a client it has accepted. A client that has connected
/// sends in the next microseconds; one that does not is watched in the lobby.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// What a thread works with.
pub(crate) struct Desk<'a> {
    shared: &'a Shared,
    request: Box<[u8; MOST_REQUEST]>,
    scratch: Scratch,
    reply: Reply,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            request: Box::new([0; MOST_REQUEST]),
            scratch: Scratch::new(),
            reply: Reply::default(),
        }
    }

    /// Serves a client that was just accepted. Without permission to `look_up`, as nobody would
    /// accept meanwhile, it waits for nothing.
    pub(crate) fn serve(&mut self, client: OwnedFd, look_up: bool) {
        let mut received = recv(&client, &mut self.request[..], RecvFlags::DONTWAIT);
        if look_up && matches!(received, Err(Errno::AGAIN)) && is_readable(&client) {
            received = recv(&client, &mut self.request[..], RecvFlags::DONTWAIT);
        }
        let length = match received {
            Ok((length @ 1.., _)) => length.min(MOST_REQUEST),
            Err(Errno::AGAIN | Errno::INTR) => 0,
            // The client has left.
            Ok((0, _)) | Err(_) => return,
        };
        let bytes = self.request.get(..length).unwrap_or_default();
        match frame(bytes) {
            Ok(Some(_)) => self.answer(client, length, look_up),
            Ok(None) => {
                let waiting = Waiting::to_ask(client, bytes);
                self.shared.lobby.admit(waiting);
            }
            Err(error) => self.shared.malformed(&error),
        }
    }

    /// Serves a client of the lobby whose request is `bytes`.
    pub(crate) fn serve_whole(&mut self, client: OwnedFd, bytes: &[u8], look_up: bool) {
        let length = bytes.len().min(MOST_REQUEST);
        self.request[..length].copy_from_slice(&bytes[..length]);
        self.answer(client, length, look_up);
    }

    /// Answers the request that is in the first `length` bytes, and is whole.
    fn answer(&mut self, client: OwnedFd, length: usize, look_up: bool) {
        let shared = self.shared;
        let bytes = self.request.get(..length).unwrap_or_default();
        let Ok(Some(frame)) = frame(bytes) else {
            return;
        };
        let (reply, scratch) = (&mut self.reply, &mut self.scratch);
        let outcome = match Request::parse(frame) {
            Ok(Some(request)) => look_up_bounded(shared, frame, &request, look_up, scratch, reply),
            Ok(None) => return administer(shared, client, frame),
            Err(error) => return shared.malformed(&error),
        };
        shared.statistics.count(frame.kind, outcome);
        shared.trace(|| {
            format!(
                "{} {} {}",
                frame.kind.name(),
                printable(frame),
                outcome.name()
            )
        });
        send_all(shared, client, reply.bytes());
        scratch.settle();
    }
}

/// Takes a reply from the cache, or looks up if there is room.
fn look_up_bounded(
    shared: &Shared,
    frame: Frame<'_>,
    request: &Request<'_>,
    look_up: bool,
    scratch: &mut Scratch,
    reply: &mut Reply,
) -> Outcome {
    let Some(family) = Family::of(frame.kind) else {
        return refuse(frame.kind, reply);
    };
    let slot = match shared.cache.find(frame) {
        Known::Reply(kept, outcome) => {
            shared.statistics.count_from_cache();
            reply.copy(&kept);
            return outcome;
        }
        Known::Nothing(slot) => slot,
    };
    let Some(_place) = shared.rooms.enter(family).filter(|_| look_up) else {
        return refuse(frame.kind, reply);
    };
    let outcome = answer(frame.kind, request, scratch, reply);
    // A module that cannot open its file is passed over, and the next one may know nothing: the C
    // library then says "not found", or tells only some of the groups.
    if shared.lacks_descriptors() {
        return refuse(frame.kind, reply);
    }
    if let Some(slot) = slot {
        shared.cache.keep(slot, outcome, reply.bytes());
    }
    outcome
}

/// Waits a moment for something to read.
fn is_readable(client: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(client, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&AT_ONCE)), Ok(1..))
}

/// Sends a reply. What the client's socket has no room for is left to the lobby.
fn send_all(shared: &Shared, client: OwnedFd, bytes: &[u8]) {
    let sent = loop {
        match send(&client, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break 0,
            // The client has left.
            Err(_) => return,
            Ok(sent) => break sent,
        }
    };
    match bytes.get(sent..) {
        None | Some([]) => {}
        Some(rest) => shared.lobby.admit(Waiting::to_read(client, rest)),
    }
}

/// Answers what is no look-up.
///
/// A client that asks for the memory that glibc's daemon shares is hung up on, which tells it at
/// once that there is none; it asks once and uses the socket from then on.
fn administer(shared: &Shared, client: OwnedFd, frame: Frame<'_>) {
    let is_root = peer(client.as_fd()).is_ok_and(|it| it.uid == 0);
    let outcome = match frame.kind {
        Kind::Statistics if is_root => {
            let json = shared.statistics.to_json(&shared.rooms);
            send_all(shared, client, json.as_bytes());
            Outcome::Found
        }
        Kind::Invalidate if is_root => {
            // The C library's 0, or EINVAL.
            let failed = if forget(shared, frame.key) { 0i32 } else { 22 };
            send_all(shared, client, &failed.to_ne_bytes());
            Outcome::Found
        }
        // Anybody's: the numbers tell no secret, and lead to nothing.
        Kind::Identity => {
            send_all(shared, client, &Identity::current().reply());
            Outcome::Found
        }
        Kind::Shutdown if is_root => {
            shared.lobby.stop();
            Outcome::Found
        }
        _ => Outcome::Refused,
    };
    shared.statistics.count(frame.kind, outcome);
    shared.trace(|| format!("{} {}", frame.kind.name(), outcome.name()));
}

/// Forgets what is kept of a database; false if there is none of that name.
fn forget(shared: &Shared, database: &[u8]) -> bool {
    let family = match database {
        b"passwd\0" | b"group\0" => Family::Users,
        b"hosts\0" => Family::Hosts,
        b"services\0" => Family::Services,
        b"netgroup\0" => Family::Netgroups,
        _ => return false,
    };
    shared.cache.forget(family);
    true
}

/// The key as text, for people.
fn printable(frame: Frame<'_>) -> String {
    match (frame.kind, Request::parse(frame)) {
        (_, Ok(Some(Request::HostByAddress(address)))) => address.to_string(),
        _ => {
            let key = frame.key.strip_suffix(b"\0").unwrap_or(frame.key);
            format!("\"{}\"", key.escape_ascii())
        }
    }
}

const _: () = assert!(HEADER < MOST_REQUEST);
