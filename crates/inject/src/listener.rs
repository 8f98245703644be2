//! The side that is asked: seccomp_unotify(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::{Call, Verdict};

/// Room for a control message with one descriptor, aligned as `cmsghdr` is.
#[repr(C, align(8))]
struct Control([u8; 32]);

/// An answer wakes the calling thread on this processor at once, in half the time (Linux 6.6).
const SYNC_WAKE_UP: u64 = 1;

/// What the kernel asks by.
pub(crate) struct Listener(OwnedFd);

impl Listener {
    /// Takes the descriptor that installing the filter gave.
    pub(crate) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        // SAFETY: takes its argument by value. An older kernel refuses it, and answers as before.
        unsafe {
            libc::ioctl(
                descriptor.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                SYNC_WAKE_UP,
            )
        };
        Ok(Self(descriptor))
    }

    /// Waits for the next call; none once no process has the filter any longer.
    pub(crate) fn next(&self) -> Option<Call> {
        loop {
            let mut wait = libc::pollfd {
                fd: self.0.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: `wait` is one entry and lives through the call.
            let polled = unsafe { libc::poll(&raw mut wait, 1, -1) };
            if polled > 0 && wait.revents & libc::POLLIN == 0 {
                return None;
            }
            let mut asked = MaybeUninit::<libc::seccomp_notif>::zeroed();
            // SAFETY: the kernel wants a zeroed `seccomp_notif` and fills it.
            let received = unsafe {
                libc::ioctl(
                    self.0.as_raw_fd(),
                    libc::SECCOMP_IOCTL_NOTIF_RECV,
                    asked.as_mut_ptr(),
                )
            };
            if received == 0 {
                // SAFETY: zeroed, then filled: plain integers either way.
                let asked = unsafe { asked.assume_init() };
                return Some(Call::new(asked.id, asked.pid, &asked.data));
            }
            // ENOENT: the caller was killed meanwhile.
            let error = io::Error::last_os_error().raw_os_error();
            if !matches!(error, Some(libc::ENOENT | libc::EINTR)) {
                return None;
            }
        }
    }

    /// Answers a call. The process that made it may have ended, which is not an error.
    pub(crate) fn answer(&self, call: &Call, verdict: Verdict) {
        let (error, flags) = match verdict {
            Verdict::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE),
            Verdict::Fail(errno) => (-errno, 0),
        };
        let mut response = libc::seccomp_notif_resp {
            id: call.id,
            val: 0,
            error,
            flags: u32::try_from(flags).unwrap_or(0),
        };
        // SAFETY: `response` is what the kernel wants and lives through the call.
        unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SEND,
                &raw mut response,
            )
        };
    }
}

/// Sends a descriptor. Only system calls: it runs between fork(2) and execve(2).
pub(crate) fn send_descriptor(channel: RawFd, descriptor: RawFd) -> io::Result<()> {
    with_message(|message| {
        // SAFETY: `message` has room for one control message with a descriptor, so CMSG_FIRSTHDR
        // points into it and CMSG_DATA at four writable bytes of it.
        let sent = unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(DESCRIPTOR) as _;
            libc::CMSG_DATA(header)
                .cast::<RawFd>()
                .write_unaligned(descriptor);
            libc::sendmsg(channel, message, 0)
        };
        match sent {
            1.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    })
}

/// Receives a descriptor; none if the other end was closed without sending one.
pub(crate) fn receive_descriptor(channel: &UnixStream) -> io::Result<Option<OwnedFd>> {
    with_message(|message| {
        // SAFETY: `message` and what it points at live through the call.
        let received =
            unsafe { libc::recvmsg(channel.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC) };
        if received < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel filled `message`: CMSG_FIRSTHDR is null or points at a header in it.
        // One of type SCM_RIGHTS is followed by a descriptor that is ours alone from now on.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
                return Ok(None);
            }
            let descriptor = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
            Ok(Some(OwnedFd::from_raw_fd(descriptor)))
        }
    })
}

/// Bytes of a descriptor.
const DESCRIPTOR: u32 = 4;

/// Calls `use_it` with a message of one byte and room for one descriptor.
fn with_message<T>(use_it: impl FnOnce(&mut libc::msghdr) -> io::Result<T>) -> io::Result<T> {
    let mut byte = 0u8;
    let mut data = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let mut control = Control([0; 32]);
    // SAFETY: all zeros is a message without anything.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE only calculates.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(DESCRIPTOR) } as _;
    use_it(&mut message)
}
