//! Bytes as glibc reads them: the structures of nscd-client.h, field by field.

use std::ffi::CString;

use super::*;

/// A reply's expected bytes: integers, then the rest.
fn bytes(integers: &[i32], rest: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = integers.iter().flat_map(|it| it.to_ne_bytes()).collect();
    bytes.extend_from_slice(rest);
    bytes
}

fn written(write: impl FnOnce(&mut Reply) -> Written) -> Vec<u8> {
    let mut reply = Reply::default();
    write(&mut reply).unwrap();
    reply.bytes().to_owned()
}

#[test]
fn a_user_is_a_header_and_five_strings() {
    let user = User {
        name: c"ann",
        password: c"x",
        uid: 1000,
        gid: u32::MAX - 1,
        gecos: c"",
        directory: c"/home/ann",
        shell: c"/bin/sh",
    };
    let expected = bytes(
        &[2, 1, 4, 2, 1000, -2, 1, 10, 8],
        b"ann\0x\0\0/home/ann\0/bin/sh\0",
    );
    assert_eq!(written(|reply| reply.user(&user)), expected);
}

#[test]
fn the_lengths_of_a_groups_members_come_before_its_name() {
    let group = Group {
        name: c"team",
        password: c"x",
        gid: 7,
        members: vec![c"ann", c"robert"],
    };
    let expected = bytes(&[2, 1, 5, 2, 7, 2, 4, 7], b"team\0x\0ann\0robert\0");
    assert_eq!(written(|reply| reply.group(&group)), expected);
}

#[test]
fn an_entry_is_a_line_again() {
    let user = User {
        name: c"ann",
        password: c"x",
        uid: 1000,
        gid: 4_294_967_294,
        gecos: c"Ann,,",
        directory: c"/home/ann",
        shell: c"",
    };
    let line: &[u8] = b"ann:x:1000:4294967294:Ann,,:/home/ann:";
    let reply = written(|reply| reply.user(&user));
    assert_eq!(user_line(&reply).as_deref(), Some(line));
    let mut group = Group {
        name: c"team",
        password: c"",
        gid: 7,
        members: vec![c"ann", c"robert"],
    };
    let line: &[u8] = b"team::7:ann,robert";
    let reply = written(|reply| reply.group(&group));
    assert_eq!(group_line(&reply).as_deref(), Some(line));
    assert_eq!(group_line(&reply[..reply.len() - 1]), None);
    group.members.clear();
    let line: &[u8] = b"team::7:";
    let reply = written(|reply| reply.group(&group));
    assert_eq!(group_line(&reply).as_deref(), Some(line));
    let mut none = Reply::default();
    none.without_entry(Kind::UserByName, NOT_FOUND, 0);
    assert_eq!(user_line(none.bytes()), None);
    assert_eq!(group_line(b"x"), None);
}

#[test]
fn groups_are_their_numbers() {
    assert_eq!(
        written(|reply| reply.groups(&[4, 5])),
        bytes(&[2, 1, 2, 4, 5], b"")
    );
}

#[test]
fn a_hosts_addresses_stand_between_the_lengths_and_the_aliases() {
    let host = |addresses: &[&str]| Host {
        name: c"a.test",
        aliases: vec![c"b", c"cc"],
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
    };
    let header = [2, 1, 7, 2, 2, 4, 2, 0];
    let rest = [
        &b"a.test\0"[..],
        &bytes(&[2, 3], &[1, 2, 3, 4, 5, 6, 7, 8]),
        b"b\0cc\0",
    ]
    .concat();
    let v4 = host(&["1.2.3.4", "5.6.7.8"]);
    assert_eq!(written(|reply| reply.host(&v4)), bytes(&header, &rest));
    let header = [2, 1, 7, 2, 10, 16, 1, 0];
    let mut octets = [0; 16];
    octets[15] = 1;
    let rest = [&b"a.test\0"[..], &bytes(&[2, 3], &octets), b"b\0cc\0"].concat();
    assert_eq!(
        written(|reply| reply.host(&host(&["::1"]))),
        bytes(&header, &rest)
    );
}

#[test]
fn a_service_has_its_aliases_last() {
    let service = Service {
        name: c"ssh",
        aliases: vec![c"sh"],
        port: 5632,
        protocol: c"tcp",
    };
    let rest = [&b"ssh\0tcp\0"[..], &bytes(&[3], b"sh\0")].concat();
    assert_eq!(
        written(|reply| reply.service(&service)),
        bytes(&[2, 1, 4, 4, 1, 5632], &rest)
    );
}

#[test]
fn a_netgroup_is_three_strings_for_each_member() {
    let own = |text: &CStr| -> CString { text.to_owned() };
    let members = [Triple {
        host: own(c"h"),
        user: own(c""),
        domain: own(c"d"),
    }];
    assert_eq!(
        written(|reply| reply.netgroup(&members)),
        bytes(&[2, 1, 1, 5], b"h\0\0d\0")
    );
}

#[test]
fn without_an_entry_a_reply_is_as_long_as_the_header_that_clients_read() {
    let sizes = [
        (Kind::UserByName, 36),
        (Kind::GroupById, 24),
        (Kind::HostByName6, 32),
        (Kind::HostByAddress, 32),
        (Kind::Addresses, 24),
        (Kind::GroupsOfUser, 12),
        (Kind::ServiceByPort, 24),
        (Kind::Netgroup, 16),
        (Kind::IsInNetgroup, 12),
        (Kind::MapUsers, 0),
    ];
    for (kind, size) in sizes {
        for found in [NOT_FOUND, REFUSED] {
            let mut reply = Reply::default();
            reply.without_entry(kind, found, HOST_NOT_FOUND);
            assert_eq!(reply.bytes().len(), size, "{kind:?}");
            if size > 0 {
                assert_eq!(reply.bytes()[4..8], found.to_ne_bytes(), "{kind:?}");
            }
        }
    }
    let mut reply = Reply::default();
    reply.without_entry(Kind::HostByName, NOT_FOUND, 2);
    assert_eq!(reply.bytes(), bytes(&[2, 0, 0, 0, -1, -1, 0, 2], b""));
}
