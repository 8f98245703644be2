//! What is read and what is refused.

use proptest::prelude::*;

use super::*;

/// A request as glibc sends it.
fn bytes(kind: i32, key: &[u8]) -> Vec<u8> {
    let length = i32::try_from(key.len()).unwrap();
    let header = [VERSION, kind, length].map(i32::to_ne_bytes).concat();
    [header, key.to_owned()].concat()
}

fn parse(kind: i32, key: &[u8]) -> Result<Request<'_>, Malformed> {
    let frame = Frame {
        kind: Kind::of_number(kind).unwrap(),
        key,
    };
    Request::parse(frame).map(|request| request.unwrap())
}

#[test]
fn a_request_recorded_from_glibc_is_read() {
    // `getent passwd root` on a little-endian machine.
    let recorded = b"\x02\0\0\0\0\0\0\0\x05\0\0\0root\0";
    if cfg!(target_endian = "little") {
        let read = frame(recorded).unwrap().unwrap();
        assert_eq!(read.kind, Kind::UserByName);
        assert_eq!(Request::parse(read), Ok(Some(Request::UserByName(c"root"))));
    }
}

#[test]
fn a_frame_is_whole_or_not_and_never_reads_on() {
    let whole = [bytes(0, b"root\0"), b"more".to_vec()].concat();
    for end in 0..HEADER + 5 {
        assert_eq!(frame(&whole[..end]), Ok(None), "{end}");
    }
    for end in HEADER + 5..=whole.len() {
        assert_eq!(
            frame(&whole[..end]).unwrap().unwrap().key,
            b"root\0",
            "{end}"
        );
    }
}

#[test]
fn lengths_that_lie_and_foreign_versions_are_refused_before_the_key_comes() {
    let header = |version: i32, kind: i32, length: i32| {
        let header = [version, kind, length].map(i32::to_ne_bytes).concat();
        frame(&header).map(|frame| frame.map(|frame| frame.kind))
    };
    assert_eq!(header(1, 0, 5), Err(Malformed::Version(1)));
    assert_eq!(header(2, -1, 5), Err(Malformed::Kind(-1)));
    assert_eq!(header(2, 22, 5), Err(Malformed::Kind(22)));
    assert_eq!(header(2, 0, -1), Err(Malformed::KeyLength(-1)));
    assert_eq!(header(2, 0, 1025), Err(Malformed::KeyLength(1025)));
    assert_eq!(header(2, 0, i32::MAX), Err(Malformed::KeyLength(i32::MAX)));
    assert_eq!(header(2, 0, 1024), Ok(None));
    assert_eq!(header(2, 0, 0), Ok(Some(Kind::UserByName)));
}

#[test]
fn strings_end_in_the_only_nul_byte() {
    for key in [&b""[..], b"root", b"ro\0ot\0", b"root\0\0"] {
        assert_eq!(
            parse(0, key),
            Err(Malformed::Key(Kind::UserByName)),
            "{key:?}"
        );
    }
    assert_eq!(parse(0, b"\0"), Ok(Request::UserByName(c"")));
}

#[test]
fn numbers_are_decimal_and_of_32_bits() {
    assert_eq!(parse(1, b"4294967295\0"), Ok(Request::UserById(u32::MAX)));
    assert_eq!(parse(3, b"0\0"), Ok(Request::GroupById(0)));
    for key in [
        &b"\0"[..],
        b"-1\0",
        b"4294967296\0",
        b"0x1\0",
        b" 1\0",
        b"\xff\0",
    ] {
        assert_eq!(
            parse(1, key),
            Err(Malformed::Key(Kind::UserById)),
            "{key:?}"
        );
    }
}

#[test]
fn addresses_have_the_length_of_their_family() {
    let v4 = Request::HostByAddress("127.0.0.1".parse().unwrap());
    assert_eq!(parse(6, &[127, 0, 0, 1]), Ok(v4));
    let mut octets = [0; 16];
    octets[15] = 1;
    let v6 = Request::HostByAddress("::1".parse().unwrap());
    assert_eq!(parse(7, &octets), Ok(v6));
    assert!(parse(6, &octets).is_err());
    assert!(parse(7, &[127, 0, 0, 1]).is_err());
    assert!(parse(6, b"").is_err());
}

#[test]
fn a_service_has_a_protocol_or_any() {
    let by_name = |name: &CStr, protocol| Request::ServiceByName {
        name: name.to_owned(),
        protocol,
    };
    assert_eq!(parse(16, b"ssh/tcp\0"), Ok(by_name(c"ssh", Some(c"tcp"))));
    assert_eq!(parse(16, b"a/b/\0"), Ok(by_name(c"a/b", None)));
    assert!(parse(16, b"ssh\0").is_err());
    let by_port = |port, protocol| Request::ServiceByPort { port, protocol };
    assert_eq!(parse(17, b"5632/\0"), Ok(by_port(5632, None)));
    assert_eq!(parse(17, b"-1/udp\0"), Ok(by_port(-1, Some(c"udp"))));
    assert!(parse(17, b"/tcp\0").is_err());
    assert!(parse(17, b"x/tcp\0").is_err());
}

#[test]
fn the_parts_of_a_netgroup_question_are_given_or_any() {
    let asked = |host, user, domain| Request::IsInNetgroup {
        name: c"g",
        host,
        user,
        domain,
    };
    assert_eq!(parse(20, b"g\0\0\0\0"), Ok(asked(None, None, None)));
    assert_eq!(
        parse(20, b"g\0\x01h\0\0\x01\0"),
        Ok(asked(Some(c"h"), None, Some(c"")))
    );
    for key in [
        &b""[..],
        b"g\0\0\0",
        b"g\0h\0\0\0",
        b"g\0\0\0\0\0",
        b"g\0\x01h",
    ] {
        assert!(parse(20, key).is_err(), "{key:?}");
    }
}

#[test]
fn every_kind_has_its_number_and_its_place() {
    for (place, kind) in Kind::ALL.iter().enumerate() {
        assert_eq!(Kind::of_number(*kind as i32), Some(*kind));
        assert_eq!(kind.index(), place, "{}", kind.name());
    }
    assert_eq!(Kind::of_number(0x6e73_6963), None);
}

#[test]
fn what_looks_nothing_up_has_no_request() {
    for kind in [8, 9, 10, 11, 12, 13, 18, 21, 0x6e73_6964] {
        let kind = Kind::of_number(kind).unwrap();
        assert_eq!(Request::parse(Frame { kind, key: b"\xff" }), Ok(None));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(kind in prop_oneof![-1i32..24, Just(0x6e73_6964), any::<i32>()], key in proptest::collection::vec(any::<u8>(), 0..64)) {
        let bytes = bytes(kind, &key);
        if let Ok(Some(read)) = frame(&bytes) {
            prop_assert_eq!(read.key, &key[..]);
            let _ = Request::parse(read);
        }
    }
}
