//! Tests of the netlink crate alone against the kernel, each on a machine of its own
//! (crates/machine).
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;

use netnsctl_machine::net::{links, make_foreign, netns};
use netnsctl_netlink::{Batch, KernelError, NewLink, NewVeth, Route, Socket, VethEnd};
use rustix::io::Errno;

fn main() -> std::process::ExitCode {
    netnsctl_machine::main(env!("CARGO_PKG_NAME"))
}

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 20, 0, 1));

fn bridge(name: &str) -> NewLink<'_> {
    NewLink {
        name,
        kind: "bridge",
        ..NewLink::default()
    }
}

/// What the kernel says of each request of a batch.
fn commit(add: impl FnOnce(&mut Batch)) -> Vec<Result<(), KernelError>> {
    let mut batch = Batch::new();
    add(&mut batch);
    let mut socket = Socket::open().expect("a netlink socket");
    socket.commit(batch).expect("the exchange works")
}

fn index_of(name: &str) -> u32 {
    let links = Socket::open().and_then(|mut socket| socket.links());
    let found = links.expect("the links").into_iter();
    let link = found.into_iter().find(|link| link.name == name);
    link.expect("the link is there").index
}

#[netnsctl_machine::test]
fn dumps_show_what_a_batch_made() {
    let done = commit(|batch| {
        batch.create_link(bridge("one"));
        batch.set_link_mtu("one", 1400);
        batch.set_link_up("one");
    });
    assert_eq!(done, vec![Ok(()); 3]);
    let index = index_of("one");
    let done = commit(|batch| {
        batch.add_address(index, ADDRESS, 24);
        batch.add_route(&Route {
            destination: IpAddr::V4(Ipv4Addr::new(10, 30, 0, 0)),
            prefix_len: 16,
            gateway: Some(IpAddr::V4(Ipv4Addr::new(10, 20, 0, 9))),
            interface: Some(index),
            kernel_made: false,
        });
    });
    assert_eq!(done, vec![Ok(()); 2]);
    let mut socket = Socket::open().expect("a netlink socket");
    let link = socket
        .links()
        .expect("the dump works")
        .into_iter()
        .find(|it| it.index == index);
    let link = link.expect("the link is there");
    assert_eq!(
        (link.mtu, link.up, link.kind.as_deref()),
        (1400, true, Some("bridge"))
    );
    let addresses = socket.addresses().expect("the dump works");
    assert!(
        addresses
            .iter()
            .any(|it| it.index == index && it.ip == ADDRESS && it.prefix_len == 24)
    );
    let routes = socket.routes().expect("the dump works");
    assert!(
        routes
            .iter()
            .any(|it| it.prefix_len == 16 && it.gateway.is_some())
    );
}

#[netnsctl_machine::test]
fn a_refusal_names_its_request_and_keeps_no_other_from_being_tried() {
    let done = commit(|batch| {
        batch.create_link(bridge("one"));
        batch.create_link(bridge("one"));
        batch.delete_link("absent");
        batch.create_link(bridge("two"));
    });
    let errno = |error: KernelError| Errno::from_raw_os_error(error.errno);
    let errors: Vec<_> = done.into_iter().map(|it| it.err().map(errno)).collect();
    assert_eq!(errors, [None, Some(Errno::EXIST), Some(Errno::NODEV), None]);
    assert_ne!(index_of("one"), index_of("two"));
}

#[netnsctl_machine::test]
fn a_refusal_comes_with_the_kernels_words() {
    let done = commit(|batch| {
        batch.create_link(bridge("one"));
        // Below ETH_MIN_MTU: dev_validate_mtu() in the kernel's net/core/dev.c has words for it.
        batch.set_link_mtu("one", 1);
    });
    let [Ok(()), Err(error)] = done.as_slice() else {
        panic!("{done:?}");
    };
    assert!(error.is(Errno::INVAL), "{error:?}");
    let words = error.message.as_deref().unwrap_or_default();
    assert!(words.contains("mtu"), "{error:?}");
    assert!(error.to_string().contains("mtu"), "{error}");
}

#[netnsctl_machine::test]
fn the_far_end_of_a_veth_pair_is_made_in_a_namespace_by_its_descriptor() {
    make_foreign("office");
    let office = netns("office");
    let end = |name, last| VethEnd {
        name,
        mac: Some([2, 0, 0, 0, 0, last]),
    };
    let done = commit(|batch| {
        batch.create_veth(NewVeth {
            near: end("near", 1),
            far: end("far", 2),
            far_netns: office.as_fd(),
            mtu: Some(1300),
        });
    });
    assert_eq!(done, [Ok(())]);
    let mut socket = Socket::open().expect("a netlink socket");
    let near = socket
        .links()
        .expect("the dump works")
        .into_iter()
        .find(|it| it.name == "near");
    let near = near.expect("this end is here");
    let far = links("office").into_iter().find(|it| it.name == "far");
    let far = far.expect("the other end is there");
    assert_eq!([near.mtu, far.mtu], [1300, 1300]);
    assert_eq!(far.mac, Some([2, 0, 0, 0, 0, 2]));
    assert_eq!(
        [near.peer_index, far.peer_index],
        [Some(far.index), Some(near.index)]
    );
    let id = socket
        .nsid_of(office.as_fd())
        .expect("ids can be asked for");
    assert!(id.is_some());
    assert_eq!(near.peer_nsid, id);
}
