//! What a socket is to tell with each datagram.

use super::*;

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
    switch_on(socket.as_fd(), level, option)
}

/// Makes the kernel tell how many datagrams `socket` has lost (SO_RXQ_OVFL), for
/// [`Datagram::lost`]. Needs no capability. Errors: those of setsockopt(2).
pub fn report_losses(socket: impl AsFd) -> Result<(), Errno> {
    switch_on(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RXQ_OVFL)
}

/// Lets the kernel hand over several datagrams as one, for [`Datagram::segment`] (UDP_GRO).
///
/// What came in as one packet that a network card or a sender on this machine had coalesced stays
/// whole. Slots must then hold 65,535 bytes, or datagrams are lost. Needs no capability.
///
/// Errors: those of setsockopt(2); `ENOPROTOOPT` before Linux 5.0.
pub fn coalesce(socket: impl AsFd) -> Result<(), Errno> {
    switch_on(socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO)
}

/// Whether the kernel can cut messages into datagrams (UDP_SEGMENT, Linux 4.18). One that cannot
/// would send such a [`Message`] whole.
pub fn can_segment(socket: impl AsFd) -> bool {
    let mut value: libc::c_int = 0;
    let mut length = INT_LENGTH;
    // SAFETY: the option is an int; `value` is one and `length` its true size, and both live
    // through the call, which writes at most that many bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            ptr::from_mut(&mut value).cast(),
            &raw mut length,
        )
    };
    result == 0
}

/// How full the receive queue of a socket is, in bytes of kernel memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Bytes used. Bytes that were read may count for a while.
    pub used: u32,
    /// Bytes from which on the kernel drops what comes in.
    pub limit: u32,
}

/// Asks how full the receive queue of `socket` is (SO_MEMINFO, Linux 4.12). Needs no capability.
///
/// Errors: those of getsockopt(2).
pub fn queue(socket: impl AsFd) -> Result<Queue, Errno> {
    /// SK_MEMINFO_RMEM_ALLOC and SK_MEMINFO_RCVBUF, of include/uapi/linux/sock_diag.h.
    const BOTH: usize = 2;
    let mut values = [0_u32; BOTH];
    #[allow(clippy::cast_possible_truncation, reason = "8 fits")]
    let mut length = size_of::<[u32; BOTH]>() as libc::socklen_t;
    // SAFETY: the option is an array of u32, of which the kernel writes as many as fit into
    // `length`; `values` has that size, and both live through the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let [used, limit] = values;
    match result {
        0 => Ok(Queue { used, limit }),
        _ => Err(last_errno()),
    }
}

fn switch_on(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int) -> Result<(), Errno> {
    let on: libc::c_int = 1;
    // SAFETY: all options that the callers above name take an int; `on` is one, lives through
    // the call, and its true size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
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

#[allow(clippy::cast_possible_truncation, reason = "4 fits")]
const INT_LENGTH: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;
