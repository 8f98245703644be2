//! Datagrams on the way to a target on another machine, as it were: ways that are narrow or gone.

use std::net::UdpSocket;
use std::time::Duration;

use crate::forward::{Forwarder, ready};
use crate::net::set_down;
use crate::support::{configure, eventually, expect, netnsctl};
use crate::traffic::{serve_udp, udp};

/// A target in `right` behind the narrowest link there is, and a forwarder to it at port 1003.
fn through_a_link() -> Forwarder {
    configure(
        "[netns.right]\n[netns.left]\n[[netns.left.veth]]\nnetns = \"right\"\nmtu = 1280\n\
         address = [\"192.0.2.1/24\"]\npeer_address = [\"192.0.2.2/24\"]\n",
    );
    expect(0, &["up", "--quiet"]);
    serve_udp("right", "192.0.2.2:2001", "");
    ready(netnsctl(&[
        "forward",
        "--listen",
        "udp:127.0.0.1:1003",
        "--listen-netns",
        "default",
        "--connect",
        "192.0.2.2:2001",
        "--connect-netns",
        "left",
    ]))
}

fn client() -> UdpSocket {
    let client = udp("default", "127.0.0.1:0");
    client.connect("127.0.0.1:1003").expect("an address");
    client
}

/// The kernel cuts no message into datagrams that do not fit into packets, so those go one by one.
#[netnsctl_machine::test]
fn a_burst_that_the_path_has_no_room_for_arrives_whole() {
    let _forwarder = through_a_link();
    let client = client();
    for length in [1400, 1200, 3000] {
        for number in 0..20 {
            client.send(&vec![number; length]).expect("a datagram");
        }
        for number in 0..20 {
            let mut answer = [0; 4096];
            let got = client.recv(&mut answer).expect("an answer");
            assert_eq!(answer[..got], vec![number; length]);
        }
    }
}

#[netnsctl_machine::test]
fn a_target_behind_a_link_that_was_down_is_reached_again() {
    let mut forwarder = through_a_link();
    let clients = [client(), client()];
    let short = Duration::from_millis(50);
    let answered = |client: &UdpSocket| {
        client.set_read_timeout(Some(short)).expect("a timeout");
        client.send(b"ping").expect("a datagram");
        client.recv(&mut [0; 8]).ok()
    };
    for client in &clients {
        eventually("an answer", || answered(client));
    }
    // The route goes with the link, and what is sent fails at once.
    set_down("left", "right");
    let silent = |client| answered(client).is_none().then_some(());
    for client in &clients {
        eventually("silence", || silent(client));
        eventually("silence", || silent(client));
    }
    assert!(!forwarder.has_ended());
    expect(0, &["up", "--quiet"]);
    for client in &clients {
        eventually("an answer again", || answered(client));
    }
}
