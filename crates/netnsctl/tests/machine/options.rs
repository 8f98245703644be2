//! What a forward can be told besides where it leads.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::served::{Served, arguments, is_alive};
use crate::support::{PATIENCE, configure, eventually, expect};
use crate::traffic::{connect, expect_answer, listen, scoped, serve_tcp, serve_udp, udp};

#[path = "../../../forward/tests/harness/proxy.rs"]
mod proxy;

/// Namespaces `left` and `right`, and in `left` a forward with these keys.
fn config(keys: &str) -> String {
    format!(
        "[netns.left]\n[netns.right]\n[[netns.left.forward]]\nlisten = \"127.0.0.1:1001\"\n\
         netns = \"right\"\nconnect = \"127.0.0.1:2001\"\n{keys}\n"
    )
}

#[netnsctl_machine::test]
fn the_target_learns_who_the_client_is() {
    configure(&config("proxy_protocol = true"));
    let mut served = Served::ready(&[]);
    let target = listen("right", "127.0.0.1:2001");
    let mut client = connect("left", "127.0.0.1:1001");
    let from = client.local_addr().unwrap();
    let (mut there, _) = target.accept().unwrap();
    there.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut header = [0; 28];
    there.read_exact(&mut header).unwrap();
    let to: SocketAddr = "127.0.0.1:1001".parse().unwrap();
    assert_eq!(
        proxy::decode(&header),
        Ok((proxy::Told::Inet(from, to), 28))
    );
    client.write_all(b"payload").unwrap();
    let mut payload = [0; 7];
    there.read_exact(&mut payload).unwrap();
    assert_eq!(&payload, b"payload");
    let text = expect(0, &["status"]).stdout;
    assert!(text.contains("7 B there"), "{text}");
    drop((client, there));
    served.stop();
}

#[netnsctl_machine::test]
fn every_key_reaches_its_forwarder_and_a_changed_one_starts_only_that_anew() {
    let other = "[[netns.right.forward]]\nlisten = \"127.0.0.1:1\"\nconnect = \"127.0.0.1:2\"\n";
    let of = |keys: &str| config(keys) + other;
    configure(&of(""));
    let mut served = Served::ready(&[]);
    let target = "127.0.0.1:2001";
    let untouched = served.forwarder("127.0.0.1:2");
    let mut before = served.forwarder(target);
    let defaults = arguments(before);
    for word in [
        "--keepalive=15s",
        "--keepalive-probes=3",
        "--drain=30s",
        "--workers=1",
    ] {
        assert!(defaults.contains(&word.to_owned()), "{word}: {defaults:?}");
    }
    for (key, word) in [
        ("connect_timeout = \"3s\"", "--connect-timeout=3s"),
        ("half_close_timeout = \"1m\"", "--half-close-timeout=1m"),
        ("keepalive = \"0s\"", "--keepalive=0s"),
        ("keepalive_probes = 9", "--keepalive-probes=9"),
        ("drain = \"250ms\"", "--drain=250ms"),
        ("proxy_protocol = true", "--proxy-protocol"),
        ("max_connections = 5", "--max-connections=5"),
        ("workers = 2", "--workers=2"),
        ("workers = \"auto\"", "--workers=auto"),
    ] {
        assert!(!defaults.contains(&word.to_owned()), "{word}");
        configure(&of(key));
        served.reload();
        eventually("the old one's end", || (!is_alive(before)).then_some(()));
        before = served.forwarder(target);
        let words = arguments(before);
        assert!(words.contains(&word.to_owned()), "{key}: {words:?}");
        let differ = words.iter().filter(|word| !defaults.contains(word));
        assert_eq!(differ.count(), 1, "{words:?}");
        assert_eq!(served.forwarder("127.0.0.1:2"), untouched);
    }
    served.stop();
}

#[netnsctl_machine::test]
fn a_bad_option_by_hand_is_said_with_a_hint() {
    let good = ["forward", "--listen", "unix:/run/in.sock", "--connect"];
    let cases: &[(&[&str], &str)] = &[
        (&["127.0.0.1:1", "--keepalive", "1500ms"], "whole seconds"),
        (&["127.0.0.1:1", "--keepalive-probes", "128"], "128"),
        (&["127.0.0.1:1", "--workers", "0"], "workers"),
        (&["127.0.0.1:1", "--workers", "many"], "many"),
        (&["127.0.0.1:1", "--drain", "soon"], "soon"),
        (&["unix:app.sock"], "absolute"),
        (&["/run/app.sock"], "unix:/run/app.sock"),
    ];
    for (words, part) in cases {
        let error = expect(2, &[&good[..], words].concat()).stderr;
        assert!(error.contains(part), "{words:?}: {error}");
        let has_hint = error.contains("hint: ") || error.contains("--help");
        assert!(has_hint, "{words:?}: {error}");
    }
    let listen = ["forward", "--connect", "127.0.0.1:1", "--listen"];
    let error = expect(2, &[&listen[..], &["tcp:unix:x"]].concat()).stderr;
    assert!(error.contains("unix:x"), "{error}");
}

#[netnsctl_machine::test]
fn addresses_may_come_after_those_who_listen_on_them() {
    let of = |address: &str| {
        let mut text = format!("[netns.left]\naddress = [{address}]\n");
        for (protocol, port) in [("tcp", 1001), ("udp", 1002)] {
            for listen in ["192.0.2.7", "[2001:db8::7]", "[fe80::7%left]"] {
                text.push_str(&format!(
                    "[[netns.left.forward]]\nprotocol = \"{protocol}\"\n\
                     listen = \"{listen}:{port}\"\nconnect = \"127.0.0.1:2001\"\n"
                ));
            }
        }
        text
    };
    configure(&of(""));
    let mut served = Served::ready(&[]);
    serve_tcp("default", "127.0.0.1:2001", "tcp ");
    serve_udp("default", "127.0.0.1:2001", "udp ");
    let before = crate::served::forwarders(served.pid());
    configure(&of("\"192.0.2.7/24\", \"2001:db8::7/64\", \"fe80::7/64\""));
    served.reload();
    assert_eq!(crate::served::forwarders(served.pid()), before);
    for address in ["192.0.2.7:1001", "[2001:db8::7]:1001"] {
        expect_answer(&mut connect("left", address), "tcp ", address);
    }
    let link_local = scoped("left", "[fe80::7]:1001", "left");
    let mut client: TcpStream = connect("left", link_local);
    expect_answer(&mut client, "tcp ", "link-local");
    drop(client);
    let link_local = scoped("left", "[fe80::7]:1002", "left");
    let to = ["192.0.2.7:1002", "[2001:db8::7]:1002"].map(|text| text.parse().unwrap());
    for to in [to[0], to[1], link_local] {
        let socket = udp("left", if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" });
        socket.send_to(b"ping", to).unwrap();
        let mut buffer = [0; 100];
        let (count, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..count], from), (&b"udp ping"[..], to));
    }
    served.stop();
}
