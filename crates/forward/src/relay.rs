//! One direction of a connection: bytes from a source socket to a sink socket.
//!
//! Each turn reads into the loop's one buffer and writes at once. A direction that fills the
//! buffer is bulk: its bytes go through a pipe by splice(2), without being copied, until little
//! comes several times. What the sink does not take is kept as [`Pending`], and until it is gone
//! nothing more is read: the source's kernel buffer fills and its sender is slowed, which is all
//! the back-pressure there is and bounds the memory of a direction to one buffer or pipe. The end
//! of the source is passed on by shutdown(SHUT_WR) once nothing is pending.
//!
//! Sources: epoll(7) on edge-triggered use, tcp(7), shutdown(2), splice(2), the kernel's
//! net/ipv4/tcp.c (`tcp_splice_read`) and fs/splice.c (`splice_to_socket`).

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, Shutdown};

use crate::pipe::{Pipe, Pipes};

/// Bytes of the copy buffer. It fits into a second-level cache, and larger ones were not faster.
const BUFFER: usize = 64 << 10;

/// Reads per turn, and bytes after which a turn ends. Two mebibytes keep a bulk connection
/// efficient, and a thousand of them cost the next one in line half a second at most.
const TURN: u32 = 8;
const TURN_BYTES: u64 = 2 << 20;

/// Splices of few bytes in a row until a direction is not bulk any more.
const BULK: u8 = 8;

/// Fewer bytes than it pays to splice: copying those is no dearer, and a read that gets less than
/// it had room for needs no other one to find the socket empty.
const LITTLE: usize = 16 << 10;

/// Emptied buffers kept for the next blocked direction.
const SPARES: usize = 16;

/// Memory shared by all directions of one loop.
pub(crate) struct Scratch {
    buffer: Box<[u8]>,
    spares: Vec<Vec<u8>>,
    pipes: Pipes,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER].into(),
            spares: Vec::with_capacity(SPARES),
            pipes: Pipes::default(),
        }
    }

    /// Keeps an emptied buffer.
    fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spares.len() < SPARES {
            buffer.clear();
            self.spares.push(buffer);
        }
    }
}

/// A socket and what is known of its state between edges.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) fd: OwnedFd,
    /// A read may succeed. Cleared when one finds nothing, set by the next event.
    pub(crate) readable: bool,
    /// A write may succeed. As above.
    pub(crate) writable: bool,
    /// A read shorter than the buffer does not prove the socket empty: the end of the stream or
    /// an urgent mark, at which reads stop, may be next, and no event would tell again.
    pub(crate) read_to_end: bool,
    /// The connection on this side failed. What it has received can still be read.
    pub(crate) broken: bool,
}

impl Side {
    /// A socket that is, or will be, connected. Writing is tried without being told to; that there
    /// is something to read is told by the event that follows its registration.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            readable: false,
            writable: true,
            read_to_end: false,
            broken: false,
        }
    }

    /// Notes that the connection on this side failed, so that what is left of it gets read.
    pub(crate) fn fail(&mut self) {
        self.broken = true;
        self.readable = true;
        self.read_to_end = true;
    }
}

/// How far a direction has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Carrying bytes.
    #[default]
    Open,
    /// The source ended in order; the sink is told when nothing is pending.
    Ended,
    /// The source was reset; the sink is reset when nothing is pending.
    Failed,
    /// The sink was told of the end. Nothing follows.
    Shut,
    /// The sink failed; nothing can be carried.
    Dead,
}

/// Bytes that were read and that the sink did not take yet.
#[derive(Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    /// Those of `bytes` from `start` on.
    Copied { bytes: Vec<u8>, start: usize },
    /// `length` bytes in a pipe.
    Spliced { pipe: Pipe, length: usize },
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    pending: Pending,
    /// Of the pending bytes, those at the front that are ours and not the source's.
    uncounted: usize,
    pub(crate) stage: Stage,
    /// [`BULK`] after much came at once, and one less after each time that little came. While
    /// above zero, splicing is tried.
    bulk: u8,
}

impl Direction {
    /// Whether everything the source sent has been handed to the sink's kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        matches!(self.pending, Pending::Nothing)
    }

    /// Has the sink get `bytes` first, before anything was carried. They are not counted.
    pub(crate) fn prepend(&mut self, bytes: Vec<u8>) {
        self.uncounted = bytes.len();
        if !bytes.is_empty() {
            self.pending = Pending::Copied { bytes, start: 0 };
        }
    }

    /// Carries what there is, for one turn. Adds the bytes handed to `sink` to `carried` and
    /// returns whether there was more to do. If the other direction was the first to end, this is
    /// the `last`, and closing the sink will tell it of the end.
    pub(crate) fn run(
        &mut self,
        source: &mut Side,
        sink: &mut Side,
        last: bool,
        scratch: &mut Scratch,
        carried: &mut u64,
    ) -> bool {
        let enough = *carried + TURN_BYTES;
        for _ in 0..TURN {
            if sink.broken {
                self.stage = Stage::Dead;
                self.pending = Pending::Nothing;
            }
            if !self.flush(sink, scratch, carried) {
                return false;
            }
            match self.stage {
                Stage::Open if source.readable && sink.writable => {
                    if *carried >= enough {
                        return true;
                    }
                    // At an urgent mark splicing would stop; see `Side::read_to_end`.
                    match scratch.pipes.take_if(self.bulk > 0 && !source.read_to_end) {
                        Some(pipe) => self.splice(pipe, source, scratch),
                        None => self.copy(source, sink, scratch, carried),
                    }
                }
                Stage::Ended => self.shut(sink, last),
                Stage::Open | Stage::Failed | Stage::Shut | Stage::Dead => return false,
            }
        }
        true
    }

    /// Reads once and writes that.
    fn copy(
        &mut self,
        source: &mut Side,
        sink: &mut Side,
        scratch: &mut Scratch,
        carried: &mut u64,
    ) {
        let size = scratch.buffer.len();
        match net::recv(&source.fd, &mut *scratch.buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) if source.broken => self.stage = Stage::Failed,
            Ok((0, _)) => self.stage = Stage::Ended,
            Ok((length, _)) => {
                if length == size {
                    self.bulk = BULK;
                }
                source.readable = length == size || source.read_to_end;
                let taken = write(sink, &scratch.buffer[..length], carried);
                if taken < length && !sink.broken {
                    let mut bytes = scratch.spares.pop().unwrap_or_default();
                    bytes.extend_from_slice(&scratch.buffer[taken..length]);
                    self.pending = Pending::Copied { bytes, start: 0 };
                }
            }
            Err(Errno::AGAIN) => source.readable = false,
            Err(Errno::INTR) => {}
            Err(_) => {
                source.fail();
                self.stage = Stage::Failed;
            }
        }
    }

    /// Fills `pipe` once; the next flush empties it.
    fn splice(&mut self, pipe: Pipe, source: &mut Side, scratch: &mut Scratch) {
        match pipe.fill(&source.fd) {
            Ok(0) => self.bulk = 0,
            Ok(length) => {
                self.bulk = if length < LITTLE { self.bulk - 1 } else { BULK };
                self.pending = Pending::Spliced { pipe, length };
                return;
            }
            // The pipe is empty, so it is the source that has nothing.
            Err(Errno::AGAIN) => source.readable = false,
            Err(Errno::INTR) => {}
            // A filter of system calls, or a kind of socket that cannot: a read tells the rest.
            Err(Errno::PERM | Errno::INVAL | Errno::NOSYS) => {
                self.bulk = 0;
                return scratch.pipes.rest();
            }
            Err(_) => {
                source.fail();
                self.stage = Stage::Failed;
            }
        }
        scratch.pipes.give(pipe);
    }

    /// Writes pending bytes and returns whether none are left.
    fn flush(&mut self, sink: &mut Side, scratch: &mut Scratch, carried: &mut u64) -> bool {
        match std::mem::take(&mut self.pending) {
            Pending::Nothing => true,
            Pending::Copied { bytes, start } => {
                let mut taken = 0;
                if sink.writable {
                    taken = write(sink, &bytes[start..], carried);
                    let ours = taken.min(self.uncounted);
                    self.uncounted -= ours;
                    *carried -= ours as u64;
                }
                let start = start + taken;
                if start < bytes.len() && !sink.broken {
                    self.pending = Pending::Copied { bytes, start };
                    return false;
                }
                scratch.keep(bytes);
                true
            }
            Pending::Spliced { pipe, length } => {
                let left = drain(sink, &pipe, length, carried);
                if left == 0 {
                    scratch.pipes.give(pipe);
                } else if !sink.broken {
                    self.pending = Pending::Spliced { pipe, length: left };
                    return false;
                }
                true
            }
        }
    }

    fn shut(&mut self, sink: &mut Side, last: bool) {
        self.stage = Stage::Shut;
        // ENOTCONN: the sink was reset a moment ago; its event says so.
        if !last && net::shutdown(&sink.fd, Shutdown::Write).is_err() {
            sink.fail();
        }
    }
}

/// Writes what the sink takes of `bytes`, counts it, and returns how much that was.
fn write(sink: &mut Side, bytes: &[u8], carried: &mut u64) -> usize {
    loop {
        match net::send(&sink.fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(taken) => {
                // Taking less than all is how a full buffer shows; the next room is an event.
                sink.writable = taken == bytes.len();
                *carried += taken as u64;
                return taken;
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                sink.writable = false;
                return 0;
            }
            Err(_) => {
                sink.fail();
                return 0;
            }
        }
    }
}

/// Moves on what the sink takes of the `length` bytes in `pipe`, counts it, and returns how many
/// bytes are left.
fn drain(sink: &mut Side, pipe: &Pipe, mut length: usize, carried: &mut u64) -> usize {
    while length > 0 && sink.writable {
        match pipe.drain(&sink.fd, length) {
            Ok(taken @ 1..) => {
                *carried += taken as u64;
                length -= taken;
            }
            Err(Errno::INTR) => {}
            // Taking less than all need not mean that the buffer is full; this does.
            Ok(0) | Err(Errno::AGAIN) => sink.writable = false,
            Err(_) => {
                sink.fail();
                break;
            }
        }
    }
    length
}
