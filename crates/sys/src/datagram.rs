//! Datagrams in batches, with the address each one was sent to.
//!
//! A server on a wildcard address must answer from the very address the client wrote to, or the
//! client drops the answer. The kernel tells that address in a control message (IP_PKTINFO,
//! IPV6_PKTINFO) and takes it back the same way. [`Batch`] receives up to [`SLOTS`] datagrams by
//! one recvmmsg(2) and sends them on, from the same memory, by one sendmmsg(2).
//!
//! Datagrams of one length for one receiver may travel through the kernel as one: a slot holds
//! several where the socket was prepared by [`coalesce`] (UDP_GRO), and a [`Message`] may be cut
//! into several when it is sent (UDP_SEGMENT). Receivers see no difference.
//!
//! Names and control messages are kept as plain bytes and are encoded and decoded by safe,
//! bounds-checked code; unsafe are only the system calls that are handed pointers to them.
//! Sources: ip(7), ipv6(7), udp(7), socket(7), cmsg(3), RFC 3542 section 6.

use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use rustix::io::Errno;
use rustix::net::SendFlags;

mod option;
mod wire;

pub use option::{Queue, can_segment, coalesce, queue, report_destination, report_losses};
pub use wire::fuzz_wire;
use wire::{decode_controls, decode_name, encode_local, encode_name, encode_segment};

/// Datagrams per system call. Beyond 32 the cost of the call is spread thinly enough.
pub const SLOTS: usize = 32;

/// Bytes between two slots beyond their length. Slots a power of two apart would compete for the
/// same few lines of the processor's cache.
const STAGGER: usize = 64;

/// Bytes of a sockaddr_in6, the largest name an internet socket has.
const NAME: usize = size_of::<libc::sockaddr_in6>();
/// Bytes of a control message's header.
const CMSG_HEADER: usize = size_of::<libc::cmsghdr>();
/// Bytes of control messages kept per datagram: room for a packet info of each family, the length
/// of segments and the number of losses.
const CONTROL: usize = 2 * (CMSG_HEADER + 24) + 2 * (CMSG_HEADER + 8);
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

/// What a slot of a [`Batch`] holds: one received datagram, or several of one sender.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What was in it; may be empty.
    pub payload: &'a [u8],
    /// Not 0: the payload is that of several datagrams of this length each, of which the last may
    /// be shorter.
    pub segment: u16,
    /// The sender. None from [`Batch::receive_connected`].
    pub source: Option<SocketAddr>,
    /// Where it was sent to. None from [`Batch::receive_connected`] and where the socket was not
    /// prepared by [`report_destination`].
    pub local: Option<Local>,
    /// How many datagrams the socket had lost for want of buffer when this one came in, since the
    /// socket was made; wraps. 0 where the socket was not prepared by [`report_losses`].
    pub lost: u32,
    /// Whether it was longer than a slot and lost its end.
    pub truncated: bool,
}

impl Datagram<'_> {
    /// How many datagrams this is.
    pub fn count(&self) -> usize {
        datagrams(self.payload.len(), self.segment)
    }
}

/// What is to be sent by one call: bytes of one slot, or the whole of several.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    /// The first slot.
    pub slot: usize,
    /// How many slots, one after the other, it is made of.
    pub slots: usize,
    /// The byte of the first slot that it begins with.
    pub skip: usize,
    /// Its bytes in all.
    pub length: usize,
    /// Not 0: the kernel is to cut it into datagrams of this length, of which the last may be
    /// shorter. At most 64, and 65,507 bytes in all.
    pub segment: u16,
}

impl Message {
    /// The whole of `slot`, which holds `length` bytes, as one datagram.
    pub fn whole(slot: usize, length: usize) -> Self {
        Self {
            slot,
            slots: 1,
            skip: 0,
            length,
            segment: 0,
        }
    }

    /// How many datagrams it makes.
    pub fn count(&self) -> usize {
        datagrams(self.length, self.segment)
    }
}

fn datagrams(length: usize, segment: u16) -> usize {
    match segment {
        0 => 1,
        segment => length.div_ceil(segment.into()).max(1),
    }
}

/// What a slot holds after a receive.
#[derive(Clone, Copy, Default)]
struct Filled {
    length: usize,
    segment: u16,
    source: Option<SocketAddr>,
    local: Option<Local>,
    lost: u32,
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
        let bytes = if slot == 0 { 0 } else { slot + STAGGER };
        Self {
            payloads: vec![0; bytes * SLOTS].into_boxed_slice(),
            slot,
            names: Box::new([[0; NAME]; SLOTS]),
            controls: Box::new([Control([0; CONTROL]); SLOTS]),
            filled: Box::new([Filled::default(); SLOTS]),
            count: 0,
        }
    }

    /// The number of slots that hold something.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets what is held.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// What slot `index` holds, if anything.
    pub fn get(&self, index: usize) -> Option<Datagram<'_>> {
        if index >= self.count {
            return None;
        }
        let filled = self.filled.get(index)?;
        let payload = self.payloads.get(index * (self.slot + STAGGER)..)?;
        Some(Datagram {
            payload: payload.get(..filled.length)?,
            segment: filled.segment,
            source: filled.source,
            local: filled.local,
            lost: filled.lost,
            truncated: filled.truncated,
        })
    }

    /// Receives what is there, at most `most`, into the slots after those that hold something;
    /// with sources and destinations. Returns how many slots were filled; never waits.
    ///
    /// Errors: `EAGAIN` when nothing is there, an error pending on the socket (such as
    /// `ECONNREFUSED`, which taking it clears), and those of recvmmsg(2).
    pub fn receive(&mut self, socket: impl AsFd, most: usize) -> Result<usize, Errno> {
        self.fill(socket.as_fd(), most, true)
    }

    /// Receives from a connected socket, without addresses. Otherwise as [`receive`].
    ///
    /// [`receive`]: Self::receive
    pub fn receive_connected(&mut self, socket: impl AsFd, most: usize) -> Result<usize, Errno> {
        self.fill(socket.as_fd(), most, false)
    }

    fn fill(
        &mut self,
        socket: BorrowedFd<'_>,
        most: usize,
        addresses: bool,
    ) -> Result<usize, Errno> {
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; SLOTS];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SLOTS];
        let slots = self.payloads.chunks_exact_mut(self.slot + STAGGER);
        let ends = self.names.iter_mut().zip(self.controls.iter_mut());
        let free = slots.zip(ends).skip(self.count).take(most);
        let mut asked = 0;
        for ((header, vector), (payload, (name, control))) in
            headers.iter_mut().zip(&mut vectors).zip(free)
        {
            let payload = &mut payload[..self.slot];
            let vector = vector.write(libc::iovec {
                iov_base: payload.as_mut_ptr().cast(),
                iov_len: payload.len(),
            });
            let header = &mut header.write(EMPTY_MESSAGE).msg_hdr;
            header.msg_iov = ptr::from_mut(vector);
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL;
            if addresses {
                header.msg_name = name.as_mut_ptr().cast();
                header.msg_namelen = NAME_LENGTH;
            }
            asked += 1;
        }
        // SAFETY: the first `asked` headers are initialised and each points at one initialised
        // vector of `vectors`, and by it at one slot's part of `self.payloads`, with its true
        // length, and at one entry each of `self.controls` and, if at all, `self.names` with
        // their true lengths; `self` is borrowed mutably for the whole call, nothing moves, and
        // the parts are disjoint. A null timeout is allowed.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                asked,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| last_errno())?;
        for header in headers.iter().take(count.min(most)) {
            // SAFETY: the kernel fills no more headers than it was given, which were the first
            // `asked`, all initialised above.
            self.take(unsafe { header.assume_init_ref() }, addresses);
        }
        Ok(count)
    }

    /// Notes what the kernel put into the next slot.
    fn take(&mut self, header: &libc::mmsghdr, addresses: bool) {
        let index = self.count;
        let info = &header.msg_hdr;
        let length = usize::try_from(header.msg_len).unwrap_or(usize::MAX);
        let used = info.msg_controllen.min(CONTROL);
        let told = decode_controls(&self.controls[index].0[..used]);
        let source = if addresses {
            decode_name(&self.names[index], info.msg_namelen)
        } else {
            None
        };
        self.filled[index] = Filled {
            length: length.min(self.slot),
            segment: told.segment,
            source,
            local: told.local,
            lost: told.lost,
            truncated: info.msg_flags & libc::MSG_TRUNC != 0,
        };
        self.count += 1;
    }

    /// Sends `messages` in order, each to its destination or, without one, to the peer `socket` is
    /// connected to. Returns how many went out; never waits.
    ///
    /// When one fails after others went out, the count of those is returned and the next call,
    /// beginning with it, tells its error. At most [`SLOTS`] go out by one call.
    ///
    /// Errors: of the first message, those of sendmsg(2), `EAGAIN` for a full buffer included, and
    /// `EINVAL` for one that is made of slots that hold less. For one that is to be cut also
    /// `EMSGSIZE` when a segment is longer than the path allows a packet to be, `EINVAL`
    /// when there are too many, `EIO` where the way out cannot cut; none of it is sent then.
    pub fn send(
        &self,
        socket: impl AsFd,
        messages: &[(Message, Option<Destination>)],
    ) -> Result<usize, Errno> {
        let socket = socket.as_fd();
        match messages {
            [] => Ok(0),
            // What a session mostly sends, without the cost of headers.
            [(message, None)] if message.slots == 1 && message.segment == 0 => {
                let payload = self.part(message, 0).ok_or(Errno::INVAL)?;
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                rustix::net::send(socket, payload, flags).map(|_| 1)
            }
            messages => self.send_many(socket, messages),
        }
    }

    /// The part of `message` in the slot `number` slots after its first.
    fn part(&self, message: &Message, number: usize) -> Option<&[u8]> {
        let payload = self.get(message.slot.checked_add(number)?)?.payload;
        match message.slots {
            1 => payload.get(message.skip..)?.get(..message.length),
            _ => Some(payload),
        }
    }

    /// Describes the parts of `message` by `vectors`, one for each slot. False if a slot holds less.
    fn describe(&self, message: &Message, vectors: &mut [MaybeUninit<libc::iovec>]) -> bool {
        for (number, vector) in vectors.iter_mut().enumerate() {
            let Some(part) = self.part(message, number) else {
                return false;
            };
            vector.write(libc::iovec {
                iov_base: part.as_ptr().cast_mut().cast(),
                iov_len: part.len(),
            });
        }
        message.slots > 0
    }

    fn send_many(
        &self,
        socket: BorrowedFd<'_>,
        messages: &[(Message, Option<Destination>)],
    ) -> Result<usize, Errno> {
        let mut names = [const { MaybeUninit::uninit() }; SLOTS];
        let mut controls = [const { MaybeUninit::uninit() }; SLOTS];
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; SLOTS];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SLOTS];
        let mut free = vectors.as_mut_slice();
        let mut count = 0;
        let ends = names.iter_mut().zip(&mut controls);
        for ((header, (name, control)), (message, destination)) in
            headers.iter_mut().zip(ends).zip(messages)
        {
            let Some((mine, rest)) = free.split_at_mut_checked(message.slots) else {
                break;
            };
            if !self.describe(message, mine) {
                break;
            }
            free = rest;
            let header = &mut header.write(EMPTY_MESSAGE).msg_hdr;
            header.msg_iov = mine.as_mut_ptr().cast();
            header.msg_iovlen = message.slots;
            direct(header, destination.as_ref(), message.segment, name, control);
            count += 1;
        }
        if count == 0 {
            return Err(Errno::INVAL);
        }
        // SAFETY: the first `count` headers are initialised and each points at as many vectors of
        // `vectors` as it says, all initialised, which describe payloads borrowed from `self` by
        // their true lengths and which the kernel only reads. Names and control messages, where
        // there are any, are initialised entries of `names` and `controls`, locals that outlive
        // the call and that the kernel only reads, with lengths no larger than theirs.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        usize::try_from(sent).map_err(|_| last_errno())
    }
}

/// Writes into `header` where its message goes and how it is cut, by way of `name` and `control`.
fn direct(
    header: &mut libc::msghdr,
    destination: Option<&Destination>,
    segment: u16,
    name: &mut MaybeUninit<[u8; NAME]>,
    control: &mut MaybeUninit<Control>,
) {
    if let Some(destination) = destination {
        let name = name.write([0; NAME]);
        header.msg_namelen = encode_name(destination.to, name);
        header.msg_name = name.as_mut_ptr().cast();
    }
    let from = destination.and_then(|it| it.from);
    if from.is_some() || segment > 0 {
        let control = &mut control.write(Control([0; CONTROL])).0;
        let used = from.map_or(0, |from| encode_local(from, control));
        header.msg_controllen = used + encode_segment(segment, &mut control[used..]);
        header.msg_control = control.as_mut_ptr().cast();
    }
}

// SAFETY: `mmsghdr` consists of integers and raw pointers (and, on some C libraries, padding), for
// which all zero bits are valid values; a zeroed header describes a datagram with no memory.
const EMPTY_MESSAGE: libc::mmsghdr = unsafe { std::mem::zeroed() };

// The lengths above in the types the C interface wants; each is far below the type's limit.
#[allow(clippy::cast_possible_truncation, reason = "28 fits")]
const NAME_LENGTH: libc::socklen_t = NAME as libc::socklen_t;

/// The errno of the libc call that just failed on this thread.
fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
