//! A netlink socket that knows no message family: it sends requests as bytes, receives answers as
//! bytes, and knows dumps, acknowledgements, the kernel's extended acks and retries (netlink(7),
//! Documentation/userspace-api/netlink/intro.rst). What a message means is its family's business.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::NLM_F_ACK;

use crate::error::{Error, KernelError};
use crate::extack;

/// Bytes of the receive buffer. The kernel fills at most 32 KiB at a time (`netlink_dump()` in
/// net/netlink/af_netlink.c), so nothing is ever cut off.
pub(crate) const RECEIVE_BUFFER: usize = 32 * 1024;

/// Requests sent at once. Every answer waits in the socket's receive queue until the whole send
/// was worked off; 64 refusals fit into the default queue many times over.
const REQUESTS_PER_SEND: usize = 64;

/// How often a dump is begun again when the state changed under it (NLM_F_DUMP_INTR).
const DUMP_ATTEMPTS: usize = 20;

/// NLM_F_DUMP_INTR of include/uapi/linux/netlink.h.
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

thread_local! {
    /// The buffer of the thread's last connection. A thread that visits many namespaces opens one
    /// connection after the other.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A connection to the kernel, bound for life to the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// One message of an answer.
pub(crate) struct Answer<'a> {
    /// The message type, which the family defines.
    pub(crate) kind: u16,
    flags: u16,
    sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// What to do after a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Continue,
    /// It was all that the request asks for.
    Stop,
}

impl Connection {
    /// Opens a socket of `protocol` (NETLINK_ROUTE, NETLINK_NETFILTER, …). Needs no capability.
    ///
    /// Errors: [`Error::Open`]; EPROTONOSUPPORT if the kernel has no such protocol.
    pub(crate) fn open(protocol: isize) -> Result<Self, Error> {
        let connect = || {
            let socket = netlink_sys::Socket::new(protocol)?;
            socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        let inner = connect().map_err(Error::Open)?;
        // Older kernels lack one or the other; errors are then shorter, dumps unfiltered.
        let _ = inner.set_ext_ack(true);
        let _ = inner.set_cap_ack(true);
        let _ = inner.set_netlink_get_strict_chk(true);
        let mut buffer = BUFFER.take();
        buffer.reserve(RECEIVE_BUFFER);
        Ok(Self {
            inner,
            sequence: 0,
            buffer,
        })
    }

    /// Sends the dump request that `request` makes with a sequence number, and hands the messages of
    /// the answer to `take`. Begins again if the state changes meanwhile.
    ///
    /// Errors: [`Error::Kernel`] if the kernel refuses, [`Error::Interrupted`] if the state keeps
    /// changing, or the exchange broke.
    pub(crate) fn dump<T>(
        &mut self,
        request: impl Fn(u32) -> Vec<u8>,
        take: impl Fn(&Answer<'_>) -> Result<Option<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..DUMP_ATTEMPTS {
            let mut found = Vec::new();
            let is_whole = self.exchange(&request, |answer| {
                found.extend(take(answer)?);
                Ok(Next::Continue)
            })?;
            if is_whole {
                return Ok(found);
            }
        }
        Err(Error::Interrupted)
    }

    /// Sends the request that `request` makes with a sequence number, and hands each message that
    /// answers it to `take`, until that says stop, a dump is done or the kernel has acknowledged. False
    /// if the state changed while it was dumped.
    ///
    /// Errors: [`Error::Kernel`] if the kernel refuses; the exchange broke.
    pub(crate) fn exchange(
        &mut self,
        request: impl Fn(u32) -> Vec<u8>,
        mut take: impl FnMut(&Answer<'_>) -> Result<Next, Error>,
    ) -> Result<bool, Error> {
        let sequence = self.next_sequence();
        self.send(&request(sequence))?;
        let mut is_whole = true;
        loop {
            self.receive()?;
            for answer in answers(&self.buffer) {
                let answer = answer?;
                if answer.sequence != sequence {
                    continue;
                }
                is_whole &= answer.flags & NLM_F_DUMP_INTR == 0;
                // The payload of a DONE is an errno as that of an ERROR is.
                if matches!(answer.kind, NLMSG_DONE | NLMSG_ERROR) {
                    if let Some(refusal) = extack::parse(answer.flags, answer.payload) {
                        refusal?;
                    }
                    return Ok(is_whole);
                }
                if take(&answer)? == Next::Stop {
                    return Ok(is_whole);
                }
            }
        }
    }

    /// Sends the requests that `request` makes of `asked`, each of which has one answer, and returns what
    /// `take` makes of the answers, in the order of `asked`. All requests leave in one system call for
    /// each 64.
    ///
    /// Errors: those of `take`; the exchange broke.
    pub(crate) fn ask<A, T>(
        &mut self,
        asked: &[A],
        request: impl Fn(&A, u32) -> Vec<u8>,
        take: impl Fn(Result<&Answer<'_>, KernelError>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut taken = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(REQUESTS_PER_SEND) {
            let requests = chunk.iter().map(|one| (self.next_sequence(), one));
            let requests: Vec<_> = requests.collect();
            let bytes = requests
                .iter()
                .map(|(sequence, one)| request(one, *sequence));
            self.send(&bytes.collect::<Vec<_>>().concat())?;
            // The kernel works through a send in order.
            let mut sequences = requests.iter().map(|(sequence, _)| *sequence).peekable();
            while sequences.peek().is_some() {
                self.receive()?;
                for answer in answers(&self.buffer) {
                    let answer = answer?;
                    if sequences.next_if_eq(&answer.sequence).is_none() {
                        continue;
                    }
                    let refusal = (answer.kind == NLMSG_ERROR)
                        .then(|| extack::parse(answer.flags, answer.payload));
                    taken.push(match refusal {
                        Some(Some(Err(refusal))) => take(Err(refusal))?,
                        _ => take(Ok(&answer))?,
                    });
                }
            }
        }
        Ok(taken)
    }

    /// Carries out `requests` in order. The sequence number of each is its place plus one. One refusal
    /// does not keep later requests from being tried; the result has one entry for each request, at
    /// its place.
    ///
    /// Errors: only where the exchange itself broke, after which it is unknown what was done.
    pub(crate) fn commit(
        &mut self,
        requests: &[Vec<u8>],
    ) -> Result<Vec<Result<(), KernelError>>, Error> {
        let mut results = vec![Ok(()); requests.len()];
        for (chunk_number, chunk) in requests.chunks(REQUESTS_PER_SEND).enumerate() {
            let mut bytes = chunk.concat();
            // The kernel works through a send in order and answers a refused request without
            // being asked, so one acknowledgement, of the last request, ends them all.
            let last = bytes.len() - chunk.last().map_or(0, Vec::len);
            let flags = u16::from_ne_bytes([bytes[last + 6], bytes[last + 7]]) | NLM_F_ACK;
            bytes[last + 6..last + 8].copy_from_slice(&flags.to_ne_bytes());
            self.send(&bytes)?;
            let first_place = chunk_number * REQUESTS_PER_SEND;
            self.collect(first_place, chunk.len(), &mut results)?;
        }
        Ok(results)
    }

    /// Takes the answers to the `count` requests from place `first` on.
    fn collect(
        &mut self,
        first: usize,
        count: usize,
        results: &mut [Result<(), KernelError>],
    ) -> Result<(), Error> {
        let last = first + count - 1;
        loop {
            self.receive()?;
            for answer in answers(&self.buffer) {
                let answer = answer?;
                let place = (answer.sequence as usize).wrapping_sub(1);
                if answer.kind != NLMSG_ERROR || !(first..=last).contains(&place) {
                    continue;
                }
                results[place] = extack::parse(answer.flags, answer.payload)
                    .ok_or_else(|| Error::Malformed("an acknowledgement is too short".into()))?;
                if place == last {
                    return Ok(());
                }
            }
        }
    }

    fn next_sequence(&mut self) -> u32 {
        // The upper half, so that no late answer to a dump is taken for one to a batch.
        self.sequence = self.sequence.wrapping_add(1) | 0x8000_0000;
        self.sequence
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        loop {
            match self.inner.send(bytes, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Send(error)),
            }
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        loop {
            self.buffer.clear();
            match self.inner.recv(&mut self.buffer, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Receive(error)),
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        BUFFER.set(buffer);
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// The messages in a received buffer. A length that lies ends it with an error.
pub(crate) fn answers(buffer: &[u8]) -> impl Iterator<Item = Result<Answer<'_>, Error>> {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(answer) = split_answer(&mut rest) else {
            rest = &[];
            return Some(Err(Error::Malformed("a message's length is wrong".into())));
        };
        Some(Ok(answer))
    })
}

fn split_answer<'a>(rest: &mut &'a [u8]) -> Option<Answer<'a>> {
    let header: &[u8; 16] = rest.first_chunk()?;
    let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let payload = rest.get(16..length)?;
    let answer = Answer {
        kind: u16::from_ne_bytes([header[4], header[5]]),
        flags: u16::from_ne_bytes([header[6], header[7]]),
        sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
        payload,
    };
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_lie_end_the_walk() {
        let mut bytes = vec![0u8; 16];
        bytes[..4].copy_from_slice(&64u32.to_ne_bytes());
        assert!(answers(&bytes).next().unwrap().is_err());
        bytes[..4].copy_from_slice(&8u32.to_ne_bytes());
        assert!(answers(&bytes).next().unwrap().is_err());
        assert!(answers(&bytes[..7]).next().unwrap().is_err());
    }
}
