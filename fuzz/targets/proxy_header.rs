//! Any addresses as a PROXY header: a strict reader, written from the specification, finds them.
#![no_main]

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use netnsctl_forward::{Address, proxy_header};

#[path = "../../crates/forward/tests/harness/proxy.rs"]
mod proxy;

#[derive(Arbitrary, Debug)]
enum Ends<'a> {
    Inet(SocketAddr, SocketAddr),
    Unix(&'a [u8], &'a [u8]),
    Mixed(SocketAddr, &'a [u8]),
}

fuzz_target!(|ends: Ends<'_>| {
    let unix = |name: &[u8]| Address::unix(Path::new(std::ffi::OsStr::from_bytes(name))).ok();
    let (client, local) = match &ends {
        Ends::Inet(client, local) => (Some((*client).into()), Some((*local).into())),
        Ends::Unix(client, local) => (unix(client), unix(local)),
        Ends::Mixed(client, local) => (Some((*client).into()), unix(local)),
    };
    let (Some(client), Some(local)) = (client, local) else {
        return;
    };
    let header = proxy_header(&client, &local);
    let read = proxy::decode(&header);
    match (read, ends) {
        (Ok((proxy::Told::Inet(from, to), length)), Ends::Inet(client, local)) => {
            assert_eq!(length, header.len());
            for (told, given) in [(from, client), (to, local)] {
                assert_eq!(told.ip().to_canonical(), given.ip().to_canonical());
                assert_eq!(told.port(), given.port());
            }
            assert_eq!(from.is_ipv4(), to.is_ipv4());
        }
        (Ok((proxy::Told::Unix(from, to), length)), Ends::Unix(client, local)) => {
            assert_eq!(length, header.len());
            assert!(from.starts_with(client) && to.starts_with(local));
        }
        // No socket has such; the reader knows no such family.
        (Err(_), Ends::Mixed(..)) => assert_eq!(header.len(), 16),
        (read, ends) => panic!("{ends:?} is read as {read:?}"),
    }
});
