//! Datagrams in batches, with the address each one was sent to.
//!
//! A server on a wildcard address must answer from the very address the client wrote to, or the
//! client drops the answer. The kernel tells that address in a control message (IP_PKTINFO,
//! IPV6_PKTINFO) and takes it back the same way. [`Batch`] receives up to [`SLOTS`] datagrams by
//! one recvmmsg(2) and sends a run of them on, from the same memory, by one sendmmsg(2).
//!
//! Names and control messages are kept as plain bytes and are encoded and decoded by safe,
//! bounds-checked code; unsafe are only the system calls that are handed pointers to them.
//! Sources: ip(7), ipv6(7), cmsg(3), RFC 3542 section 6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use rustix::io::Errno;

mod wire;

use wire::{decode_local, decode_name, encode_local, encode_name};

/// Datagrams per system call. Beyond 32 the cost of the call is spread thinly enough.
pub const SLOTS: usize = 32;

/// Bytes of a sockaddr_in6, the largest name an internet socket has.
const NAME: usize = size_of::<libc::sockaddr_in6>();
/// Bytes of a control message's header.
const CMSG_HEADER: usize = size_of::<libc::cmsghdr>();
/// Bytes of control messages kept per datagram: room for a packet info of each family.
const CONTROL: usize = 2 * (CMSG_HEADER + 24);
const IN_PKTINFO: usize = size_of::<libc::in_pktinfo>();
const IN6_PKTINFO: usize = size_of::<libc::in6_pktinfo>();

/// The local end of a datagram.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Local {
    /// The address it was sent to, or is to be sent from. On an IPv6 socket an IPv4 address
    /// appears in its mapped form (`::ffff:192.0.2.1`).
    pub address: IpAddr,
    /// The index of the interface it came in by; 0 leaves the choice to the routing table.
    pub interface: u32,
}

/// Where a datagram goes and what address it is to come from.
#[derive(Clone, Copy, Debug)]
pub struct Destination {
    /// The receiver, in the form the sending socket's family has.
    pub to: SocketAddr,
    /// The source to pin, or none to let the kernel choose.
    pub from: Option<Local>,
}

/// One received datagram, borrowed from its [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What was in it; may be empty.
    pub payload: &'a [u8],
    /// The sender. None from [`Batch::receive_connected`].
    pub source: Option<SocketAddr>,
    /// Where it was sent to. None from [`Batch::receive_connected`] and where the socket was not
    /// prepared by [`report_destination`].
    pub local: Option<Local>,
    /// Whether it was longer than a slot and lost its end.
    pub truncated: bool,
}

/// What a slot holds after a receive.
#[derive(Clone, Copy, Default)]
struct Filled {
    length: usize,
    source: Option<SocketAddr>,
    local: Option<Local>,
    truncated: bool,
}

/// Control messages of one datagram, aligned as the kernel lays them out.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL]);

/// Memory for [`SLOTS`] datagrams of up to a given length.
pub struct Batch {
    payloads: Box<[u8]>,
    slot: usize,
    names: Box<[[u8; NAME]; SLOTS]>,
    controls: Box<[Control; SLOTS]>,
    filled: Box<[Filled; SLOTS]>,
    count: usize,
}

impl Batch {
    /// Makes room for [`SLOTS`] datagrams of up to `slot` bytes each. The memory is zeroed and
    /// untouched, so a slot costs pages only once a datagram was that long.
    pub fn new(slot: usize) -> Self {
        Self {
            payloads: vec![0; slot * SLOTS].into_boxed_slice(),
            slot,
            names: Box::new([[0; NAME]; SLOTS]),
            controls: Box::new([Control([0; CONTROL]); SLOTS]),
            filled: Box::new([Filled::default(); SLOTS]),
            count: 0,
        }
    }

    /// The number of datagrams held.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no datagram is held.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The datagram in slot `index`, if one is held there.
    pub fn get(&self, index: usize) -> Option<Datagram<'_>> {
        if index >= self.count {
            return None;
        }
        let Filled {
            length,
            source,
            local,
            truncated,
        } = *self.filled.get(index)?;
        let payload = self.payloads.get(index * self.slot..)?.get(..length)?;
        Some(Datagram {
            payload,
            source,
            local,
            truncated,
        })
    }

    /// Receives what is there, with sources and destinations, and returns how many; never waits.
    ///
    /// What was held before is gone, also after an error. Errors: `EAGAIN` when nothing is there,
    /// an error pending on the socket (such as `ECONNREFUSED`, which taking it clears), and those
    /// of recvmmsg(2).
    pub fn receive(&mut self, socket: impl AsFd) -> Result<usize, Errno> {
        self.fill(socket.as_fd(), true)
    }

    /// Receives what is there on a connected socket, without addresses. Otherwise as [`receive`].
    ///
    /// [`receive`]: Self::receive
    pub fn receive_connected(&mut self, socket: impl AsFd) -> Result<usize, Errno> {
        self.fill(socket.as_fd(), false)
    }

    fn fill(&mut self, socket: BorrowedFd<'_>, addresses: bool) -> Result<usize, Errno> {
        self.count = 0;
        let mut vectors = [EMPTY_VECTOR; SLOTS];
        let mut headers = [EMPTY_MESSAGE; SLOTS];
        let slots = self.payloads.chunks_exact_mut(self.slot.max(1));
        let ends = self.names.iter_mut().zip(self.controls.iter_mut());
        let records = headers.iter_mut().zip(&mut vectors);
        for (((header, vector), payload), (name, control)) in records.zip(slots).zip(ends) {
            *vector = libc::iovec {
                iov_base: payload.as_mut_ptr().cast(),
                iov_len: payload.len(),
            };
            let header = &mut header.msg_hdr;
            header.msg_iov = ptr::from_mut(vector);
            header.msg_iovlen = 1;
            if addresses {
                header.msg_name = name.as_mut_ptr().cast();
                header.msg_namelen = NAME_LENGTH;
                header.msg_control = control.0.as_mut_ptr().cast();
                header.msg_controllen = CONTROL;
            }
        }
        // SAFETY: `headers` holds SLOTS initialised headers. Each is all zero (a slot size of 0)
        // or points at one vector of `vectors`, and by it at that slot's part of `self.payloads`,
        // with its true length, and at one entry each of `self.names` and `self.controls` with
        // their true lengths; `self` is borrowed mutably for the whole call, nothing moves, and
        // the parts are disjoint. A null timeout is allowed.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                SLOTS_LENGTH,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| last_errno())?.min(SLOTS);
        for (index, header) in headers.iter().enumerate().take(count) {
            let info = &header.msg_hdr;
            let length = usize::try_from(header.msg_len).unwrap_or(usize::MAX);
            let (mut source, mut local) = (None, None);
            if addresses {
                source = decode_name(&self.names[index], info.msg_namelen);
                let used = info.msg_controllen.min(CONTROL);
                local = decode_local(&self.controls[index].0[..used]);
            }
            let truncated = info.msg_flags & libc::MSG_TRUNC != 0;
            self.filled[index] = Filled {
                length: length.min(self.slot),
                source,
                local,
                truncated,
            };
        }
        self.count = count;
        Ok(count)
    }

    /// Sends the datagrams of `slots` in order and returns how many went out; never waits.
    ///
    /// All go to `destination`, or, without one, to the peer `socket` is connected to. When one
    /// fails after others went out, the count of those is returned and the next call, beginning
    /// with it, tells its error. Slots that hold nothing end the range early; an empty range
    /// returns 0.
    ///
    /// Errors: of the first datagram, those of sendmsg(2), `EAGAIN` for a full buffer included.
    pub fn send(
        &self,
        socket: impl AsFd,
        slots: Range<usize>,
        destination: Option<&Destination>,
    ) -> Result<usize, Errno> {
        let mut name = [0; NAME];
        let mut control = Control([0; CONTROL]);
        let name_length = destination.map_or(0, |end| encode_name(end.to, &mut name));
        let from = destination.and_then(|end| end.from);
        let control_length = from.map_or(0, |from| encode_local(from, &mut control.0));
        let mut vectors = [EMPTY_VECTOR; SLOTS];
        let mut headers = [EMPTY_MESSAGE; SLOTS];
        let mut count = 0;
        let datagrams = slots.map_while(|slot| self.get(slot));
        for ((header, vector), datagram) in headers.iter_mut().zip(&mut vectors).zip(datagrams) {
            let payload = datagram.payload;
            let base = payload.as_ptr().cast_mut().cast();
            *vector = libc::iovec {
                iov_base: base,
                iov_len: payload.len(),
            };
            let header = &mut header.msg_hdr;
            header.msg_iov = ptr::from_mut(vector);
            header.msg_iovlen = 1;
            if name_length > 0 {
                header.msg_name = name.as_mut_ptr().cast();
                header.msg_namelen = name_length;
            }
            if control_length > 0 {
                header.msg_control = control.0.as_mut_ptr().cast();
                header.msg_controllen = control_length;
            }
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        // SAFETY: the first `count` headers are initialised and each points at one vector of
        // `vectors`, which describes a payload borrowed from `self` by its true length; the
        // kernel only reads payloads. All share `name` and `control`, locals that outlive the
        // call and that the kernel only reads, with lengths no larger than theirs.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_fd().as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        usize::try_from(sent).map_err(|_| last_errno())
    }
}

/// Makes the kernel tell where each datagram was sent to, for [`Batch::receive`].
///
/// Sets IPV6_RECVPKTINFO on an IPv6 socket, where it covers IPv4 datagrams too, and IP_PKTINFO
/// otherwise. Needs no capability.
///
/// Errors: those of setsockopt(2); `ENOPROTOOPT` or `EOPNOTSUPP` on a socket of another family.
pub fn report_destination(socket: impl AsFd, ipv6: bool) -> Result<(), Errno> {
    let (level, option) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
    } else {
        (libc::IPPROTO_IP, libc::IP_PKTINFO)
    };
    let on: libc::c_int = 1;
    // SAFETY: both options take an int; `on` is one, lives through the call, and its true size
    // is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            ptr::from_ref(&on).cast(),
            INT_LENGTH,
        )
    };
    if result < 0 {
        Err(last_errno())
    } else {
        Ok(())
    }
}

const EMPTY_VECTOR: libc::iovec = libc::iovec {
    iov_base: ptr::null_mut(),
    iov_len: 0,
};
// SAFETY: `mmsghdr` consists of integers and raw pointers (and, on some C libraries, padding), for
// which all zero bits are valid values; a zeroed header describes a datagram with no memory.
const EMPTY_MESSAGE: libc::mmsghdr = unsafe { std::mem::zeroed() };

// The lengths above in the types the C interface wants; each is far below the type's limit.
#[allow(clippy::cast_possible_truncation, reason = "28, 4 and 32 fit")]
mod lengths {
    pub(super) const NAME_LENGTH: libc::socklen_t = super::NAME as libc::socklen_t;
    pub(super) const INT_LENGTH: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;
    pub(super) const SLOTS_LENGTH: libc::c_uint = super::SLOTS as libc::c_uint;
}
use lengths::{INT_LENGTH, NAME_LENGTH, SLOTS_LENGTH};

/// The errno of the libc call that just failed on this thread.
fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
