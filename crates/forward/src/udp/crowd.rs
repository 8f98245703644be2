//! Newcomers while a listener's queue fills up.
//!
//! All clients of a listener share one queue in the kernel, and a session for a newcomer costs many
//! times as much as a datagram of a session that exists. So a flood from many addresses fills the
//! queue, and the kernel then drops datagrams of every client alike. To keep established sessions
//! alive, most newcomers are dropped while the queue is nearly full: that is cheap, so the queue
//! empties fast.

use std::os::fd::OwnedFd;

use netnsctl_sys::datagram;

/// The queue counts as crowded when more than one half of it is used, and until less than one
/// quarter is.
const BEGIN: u32 = 2;
const END: u32 = 4;

/// What is known of the queue of one listener.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    is_crowded: bool,
    /// Whether the present batch has brought a newcomer in.
    has_admitted: bool,
}

impl Crowd {
    /// Looks at the queue of `socket`, of which a batch was just received. A batch that is not full
    /// has emptied the queue, and then the kernel need not be asked.
    pub(super) fn look(&mut self, socket: &OwnedFd, is_full: bool) {
        self.has_admitted = false;
        let share = if self.is_crowded { END } else { BEGIN };
        self.is_crowded =
            is_full && datagram::queue(socket).is_ok_and(|queue| queue.used > queue.limit / share);
    }

    /// Whether a newcomer is let in: while the queue is crowded, one in each batch.
    pub(super) fn admits(&mut self) -> bool {
        !self.is_crowded || !std::mem::replace(&mut self.has_admitted, true)
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn while_a_queue_is_crowded_each_batch_lets_one_newcomer_in() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let socket: OwnedFd = socket.into();
        let mut crowd = Crowd::default();
        let mut admitted = |is_full| {
            crowd.look(&socket, is_full);
            [crowd.admits(), crowd.admits()]
        };
        assert_eq!(admitted(true), [true, true]);
        let full = |queue: datagram::Queue| queue.used > queue.limit / BEGIN;
        while !full(datagram::queue(&socket).unwrap()) {
            sender.send_to(&[0; 1000], at).unwrap();
        }
        assert_eq!(admitted(true), [true, false]);
        assert_eq!(admitted(true), [true, false]);
        assert_eq!(admitted(false), [true, true]);
    }
}
