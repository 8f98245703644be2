//! Packets of a network namespace as they pass its links: packet(7).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Bytes that packets may wait in before the kernel drops one: some seconds of a busy host.
const BUFFER: libc::c_int = 8 << 20;

/// A socket that is given a copy of every packet of every link of one network namespace.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// It came in by the link.
    In,
    /// It was made here, or forwarded, and goes out by the link.
    Out,
}

/// A packet that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// How much of the buffer it fills, from its network header on. A longer packet is cut off.
    pub length: usize,
    /// The index of the link.
    pub interface: u32,
    /// Which way it went.
    pub direction: Direction,
}

impl PacketSocket {
    /// Opens one in the network namespace of the calling thread. It does not block.
    ///
    /// Needs CAP_NET_RAW in the user namespace that owns the network namespace: EPERM otherwise.
    pub fn open() -> io::Result<Self> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // The kernel takes the protocol in network byte order (packet(7)).
        let all = libc::c_int::from(ETH_P_ALL.to_be());
        // SAFETY: socket takes plain numbers and makes a new descriptor.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, all) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let socket = Self { fd };
        // Beyond net.core.rmem_max for those who may; others keep what they get.
        for option in [libc::SO_RCVBUF, libc::SO_RCVBUFFORCE] {
            socket.set_buffer(option);
        }
        Ok(socket)
    }

    fn set_buffer(&self, option: libc::c_int) {
        let size = BUFFER;
        let value = (&raw const size).cast();
        let socket = self.fd.as_raw_fd();
        // SAFETY: the pointer leads to an int, whose size is given; the kernel only reads it.
        unsafe { libc::setsockopt(socket, libc::SOL_SOCKET, option, value, SIZE_OF_INT) };
    }

    /// Takes the next packet into `buffer`; none if there is none now.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Packet>> {
        let mut address = MaybeUninit::<libc::sockaddr_ll>::zeroed();
        let mut length = SIZE_OF_ADDRESS;
        // SAFETY: `buffer` and `address` are writable for the lengths given and live through the
        // call; the kernel writes no more than that.
        let received = unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                address.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let Ok(received) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        };
        // SAFETY: all bytes were zero before the kernel wrote some, and every pattern of them is a
        // valid sockaddr_ll.
        let address = unsafe { address.assume_init() };
        let is_out = address.sll_pkttype == libc::PACKET_OUTGOING;
        Ok(Some(Packet {
            length: received.min(buffer.len()),
            interface: u32::try_from(address.sll_ifindex).unwrap_or_default(),
            direction: if is_out {
                Direction::Out
            } else {
                Direction::In
            },
        }))
    }

    /// How many packets were dropped, since this was last asked, because nobody took them in time.
    pub fn dropped(&self) -> io::Result<u32> {
        // struct tpacket_stats of include/uapi/linux/if_packet.h: packets, drops.
        let mut counts = [0u32; 2];
        let mut length = SIZE_OF_COUNTS;
        // SAFETY: `counts` has the bytes that `length` says, both live through the call, and every
        // pattern of them is valid.
        let failed = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                counts.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if failed == 0 {
            Ok(counts[1])
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// ETH_P_ALL of include/uapi/linux/if_ether.h: packets of every protocol.
const ETH_P_ALL: u16 = 3;

/// Sizes as the kernel wants them.
const SIZE_OF_INT: libc::socklen_t = 4;
const SIZE_OF_COUNTS: libc::socklen_t = 8;
const SIZE_OF_ADDRESS: libc::socklen_t = 20;

const _: () = assert!(size_of::<libc::sockaddr_ll>() == 20 && size_of::<libc::c_int>() == 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_watch_is_told_and_who_may_sees_both_ways() {
        let socket = match PacketSocket::open() {
            Ok(socket) => socket,
            Err(error) => return assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        };
        // Nobody else's, be it the same test of somebody else.
        let word = format!("a word of process {}", std::process::id());
        let word = word.as_bytes();
        let to = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let from = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        from.send_to(word, to.local_addr().unwrap()).unwrap();
        to.recv(&mut [0; 100]).unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 2048];
        // Loopback is done when the datagram has been received, and so are the copies.
        while let Some(packet) = socket.receive(&mut buffer).unwrap() {
            let bytes = &buffer[..packet.length];
            if bytes.ends_with(word) {
                seen.push(packet.direction);
            }
        }
        assert_eq!(seen, [Direction::Out, Direction::In]);
        assert!(socket.dropped().is_ok());
    }
}
