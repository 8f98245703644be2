//! Pipes for splice(2), and the few that are kept for the next direction that needs one.
//!
//! A direction has a pipe only while bytes are in it. Spliced bytes stay in the pages they arrived
//! in: a pipe is a list of references to pages, and its size the number of references, so how many
//! bytes fit depends on how they arrived. What is in a pipe is therefore counted, never computed.
//!
//! An unprivileged user may have 64 MiB of pipes (pipe-user-pages-soft, pipe(7)); beyond that a new
//! one is too small to be of use. A pipe that can't be had means copying, so nothing fails.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::pipe::{self, PipeFlags, SpliceFlags};

/// Sizes asked for, in bytes, until one is granted. The first is the most an unprivileged user may
/// ask for by default (pipe-max-size).
const SIZES: [usize; 2] = [1 << 20, 256 << 10];

/// Bytes that a pipe must have to be better than copying. New pipes have as many.
const LEAST: usize = 64 << 10;

/// Most pipes in use by one loop, so that they leave descriptors to connections.
const MOST: usize = 256;

/// Emptied pipes kept.
const SPARES: usize = 16;

/// Requests answered with none after a pipe could not be had, before it is tried again.
const REST: u32 = 4096;

/// A pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    /// Keeps count of the pipes there are.
    _one: Arc<()>,
}

impl Pipe {
    /// Fills the empty pipe from `source`, without waiting, and returns the number of bytes; 0 at
    /// the end of the stream and where only a read can go on, as at an urgent mark.
    ///
    /// Errors: `EAGAIN` if the source has nothing, or those of recv(2) and splice(2).
    pub(crate) fn fill(&self, source: &OwnedFd) -> Result<usize, Errno> {
        pipe::splice(
            source,
            None,
            &self.writer,
            None,
            SIZES[0],
            SpliceFlags::NONBLOCK,
        )
    }

    /// Moves up to `length` bytes on to `sink`, without waiting, and returns how many it took.
    ///
    /// Errors: `EAGAIN` if the sink takes none, or those of send(2) and splice(2). With SIGPIPE not
    /// ignored, a sink closed by its peer raises it: splice knows no MSG_NOSIGNAL.
    pub(crate) fn drain(&self, sink: &OwnedFd, length: usize) -> Result<usize, Errno> {
        pipe::splice(
            &self.reader,
            None,
            sink,
            None,
            length,
            SpliceFlags::NONBLOCK,
        )
    }
}

/// Empty pipes for one loop.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    spares: Vec<Pipe>,
    one: Arc<()>,
    /// Requests yet to be answered with none.
    rest: u32,
}

impl Pipes {
    /// An empty pipe, if one is wanted and can be had.
    pub(crate) fn take_if(&mut self, wanted: bool) -> Option<Pipe> {
        if wanted { self.take() } else { None }
    }

    fn take(&mut self) -> Option<Pipe> {
        if let Some(spare) = self.spares.pop() {
            return Some(spare);
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        if Arc::strong_count(&self.one) > MOST {
            return None;
        }
        let made = self.make();
        if made.is_none() {
            self.rest = REST;
        }
        made
    }

    /// Takes back a pipe that is empty.
    pub(crate) fn give(&mut self, pipe: Pipe) {
        if self.spares.len() < SPARES {
            self.spares.push(pipe);
        }
    }

    /// Answers the next requests with none, after the kernel refused to splice.
    pub(crate) fn rest(&mut self) {
        self.spares.clear();
        self.rest = REST;
    }

    fn make(&self) -> Option<Pipe> {
        let (reader, writer) = pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        let grown = |size| pipe::fcntl_setpipe_size(&writer, size).is_ok();
        if !SIZES.into_iter().any(grown) && pipe::fcntl_getpipe_size(&writer).ok()? < LEAST {
            return None;
        }
        let one = self.one.clone();
        Some(Pipe {
            reader,
            writer,
            _one: one,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_used_again_and_bounded() {
        let mut pipes = Pipes::default();
        let taken: Vec<_> = std::iter::from_fn(|| pipes.take()).take(MOST + 1).collect();
        // The user's limit may come first.
        assert!((1..=MOST).contains(&taken.len()), "{}", taken.len());
        assert!(pipes.take().is_none());
        for pipe in taken {
            pipes.give(pipe);
        }
        assert_eq!(pipes.spares.len(), SPARES);
        assert_eq!(Arc::strong_count(&pipes.one), SPARES + 1);
        assert!(pipes.take().is_some());
        pipes.rest();
        assert!(pipes.take().is_none());
    }
}
