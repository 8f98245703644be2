//! The look from inside: a process in the namespace and its view, as a command there has them, that
//! writes what it sees to stdout, a line of JSON before it asks its question and one after it.

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::unix::fs::MetadataExt;

use netnsctl_model::etc_files::{directory, name_servers, uses_tcp};
use netnsctl_model::name::NetnsName;
use netnsctl_nscd::identity::{File, Identity};
use netnsctl_session::run;
use netnsctl_sys::errno::{Errno, words};
use netnsctl_sys::nss;
use netnsctl_view::etc::files_of;
use rustix::net::netdevice::name_to_index;
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use super::socket::{BUS, Door, Nscd, ask_nscd, knock};
use crate::output::{self, Exit, Failure};

/// Where glibc looks for nscd, and where that may also stand.
const NSCD: [&str; 2] = ["/run/nscd/socket", "/var/run/nscd/socket"];

/// The port of DNS.
const DNS: u16 = 53;

/// Sockets of the host by which it would answer for itself.
const HOST_SOCKETS: [&str; 3] = [
    "/run/systemd/resolve/io.systemd.Resolve",
    "/run/systemd/resolve/io.systemd.Resolve.Monitor",
    BUS,
];

/// What is seen before the question.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Inside {
    /// The device and inode of the network namespace, and its cookie.
    pub(super) network: (u64, u64),
    pub(super) cookie: u64,
    /// As they show in the view; zeros if they do not.
    pub(super) resolv_conf: (u64, u64),
    pub(super) nsswitch_conf: (u64, u64),
    pub(super) resolv_conf_text: Option<String>,
    pub(super) nsswitch_conf_text: Option<String>,
    pub(super) files: Vec<Shown>,
    pub(super) nscd: Vec<(String, Nscd)>,
    pub(super) sockets: Vec<(String, Door)>,
    pub(super) servers: Vec<Server>,
}

/// A file of `/etc/netns/NAME`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) name: String,
    /// Device and inode of it.
    pub(super) own: (u64, u64),
    /// Device and inode of what shows in /etc; zeros if nothing does.
    pub(super) shown: (u64, u64),
    /// Device and inode of what stands there outside.
    pub(super) host: (u64, u64),
}

/// A name server of resolv.conf.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Server {
    /// As it is written.
    pub(super) address: String,
    pub(super) way: Way,
}

/// The way to a name server.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    /// It is no address.
    Unreadable,
    /// There is a route to it.
    Route,
    /// The kernel's words.
    NoRoute(String),
    /// It is an address of this namespace; whether somebody listens there.
    Local { is_served: bool },
}

/// What the C library said to the question.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answered {
    /// 0, or the number of getaddrinfo(3).
    pub(super) code: i32,
}

/// Looks from inside `name` and asks for `question`.
pub(super) fn look(name: &NetnsName, question: &str) -> Result<Exit, Failure> {
    let dies = set_parent_process_death_signal(Some(Signal::KILL));
    dies.map_err(|errno| {
        Failure::failed(format!("cannot follow its parent's end: {}", words(&errno)))
    })?;
    let files = own_files(name)?;
    run::enter_as_it_is(name)?;
    say(&see(files)?)?;
    let question = CString::new(question).map_err(|_| Failure::usage("a NUL byte in a name"))?;
    let code = nss::addresses(&question).map_or_else(|code| code, |_| 0);
    say(&Answered { code })?;
    Ok(Exit::Done)
}

fn say(what: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(what);
    let line = line.map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?;
    output::print(&(line + "\n"))
}

/// The files that should show, as they are outside of the view.
fn own_files(name: &NetnsName) -> Result<Vec<Shown>, Failure> {
    let mut files = files_of(name)?;
    files.sort();
    let of = |file: String| {
        Ok(Shown {
            own: place(&format!("{}/{file}", directory(name)))?,
            shown: (0, 0),
            host: place(&format!("/etc/{file}"))?,
            name: file,
        })
    };
    files.into_iter().map(of).collect()
}

/// Device and inode of what stands at `path`, zeros if nothing does.
fn place(path: &str) -> Result<(u64, u64), Failure> {
    let found = if_there(std::fs::metadata(path), "look at", path)?;
    Ok(found.map_or((0, 0), |found| (found.dev(), found.ino())))
}

/// What was read of `path`; `None` if nothing is there. An error says nothing of what is there, so
/// nothing can be concluded then.
fn if_there<T>(read: io::Result<T>, step: &str, path: &str) -> Result<Option<T>, Failure> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => {
                let words = Errno::of(&error);
                Err(Failure::failed(format!("cannot {step} {path}: {words}")))
            }
        },
    }
}

fn pair(file: File) -> (u64, u64) {
    (file.device, file.inode)
}

fn see(mut files: Vec<Shown>) -> Result<Inside, Failure> {
    let identity = Identity::current();
    let read = |path| -> Result<Option<String>, Failure> {
        let bytes = if_there(std::fs::read(path), "read", path)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let resolv_conf = read("/etc/resolv.conf")?;
    for file in &mut files {
        file.shown = place(&format!("/etc/{}", file.name))?;
    }
    let mut nscd = vec![(NSCD[0].to_owned(), ask_nscd(NSCD[0]))];
    if place(NSCD[0])? != place(NSCD[1])? {
        nscd.push((NSCD[1].to_owned(), ask_nscd(NSCD[1])));
    }
    let sockets = HOST_SOCKETS.map(|path| (path.to_owned(), knock(path)));
    Ok(Inside {
        network: pair(identity.network),
        cookie: identity.cookie,
        resolv_conf: place("/etc/resolv.conf")?,
        nsswitch_conf: place("/etc/nsswitch.conf")?,
        servers: servers(resolv_conf.as_deref().unwrap_or_default())?,
        resolv_conf_text: resolv_conf,
        nsswitch_conf_text: read("/etc/nsswitch.conf")?,
        files,
        nscd,
        sockets: sockets.into(),
    })
}

fn servers(resolv_conf: &str) -> Result<Vec<Server>, Failure> {
    let protocol = if uses_tcp(resolv_conf) { "tcp" } else { "udp" };
    let server = |address: &str| {
        Ok(Server {
            address: address.to_owned(),
            way: way_to(address, protocol)?,
        })
    };
    name_servers(resolv_conf).into_iter().map(server).collect()
}

/// Finds the way to a name server without sending anything: connect(2) of a datagram socket only
/// looks for a route. `protocol` is what it would be asked by.
fn way_to(address: &str, protocol: &str) -> Result<Way, Failure> {
    let any: IpAddr = if address.contains(':') {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let words = |error: io::Error| Ok(Way::NoRoute(Errno::of(&error).to_string()));
    let socket = match UdpSocket::bind((any, 0)) {
        Ok(socket) => socket,
        Err(error) => return words(error),
    };
    let Some(server) = parse(address, &socket) else {
        return Ok(Way::Unreadable);
    };
    if let Err(error) = socket.connect(server) {
        return words(error);
    }
    let from = socket.local_addr().map(|from| from.ip());
    let is_local = server.ip().is_loopback() || from.is_ok_and(|from| from == server.ip());
    if !is_local {
        return Ok(Way::Route);
    }
    let is_served = is_listened_at(server.ip(), protocol)?;
    Ok(Way::Local { is_served })
}

/// An address, of IPv6 maybe with a link: `fe80::1%host`.
fn parse(address: &str, socket: &UdpSocket) -> Option<SocketAddr> {
    let Some((address, link)) = address.split_once('%') else {
        return Some(SocketAddr::new(address.parse().ok()?, DNS));
    };
    let scope = link.parse().ok();
    let scope = scope.or_else(|| name_to_index(socket, link).ok());
    Some(SocketAddrV6::new(address.parse().ok()?, DNS, 0, scope.unwrap_or_default()).into())
}

/// How often a table of sockets is looked at for one that may have been passed over.
const LOOKS: usize = 5;

/// Whether a socket of this namespace is bound to port 53 of `address`. The tables are those of
/// proc(5): `udp` and `udp6`, or `tcp` and `tcp6`.
fn is_listened_at(address: IpAddr, protocol: &str) -> Result<bool, Failure> {
    for six in ["", "6"] {
        let found = has_bound(&format!("{protocol}{six}"), |(ip, port)| {
            let ip = ip.to_canonical();
            port == DNS && (ip == address || is_any(ip, address))
        })?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a table of proc(5) has a socket such as `is_it`. It is looked at more than once: a line
/// is passed over when a socket further up closes while the table is being read.
fn has_bound(table: &str, is_it: impl Fn((IpAddr, u16)) -> bool) -> Result<bool, Failure> {
    let path = format!("/proc/thread-self/net/{table}");
    for _ in 0..LOOKS {
        // A kernel without IPv6 has no table of it.
        let text = if_there(std::fs::read_to_string(&path), "read", &path)?;
        if bound(&text.unwrap_or_default()).into_iter().any(&is_it) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a socket bound to the unspecified address `ip` has datagrams for `address`: that of IPv6
/// usually has those of IPv4 too.
fn is_any(ip: IpAddr, address: IpAddr) -> bool {
    ip.is_unspecified() && (ip.is_ipv6() || address.is_ipv4())
}

/// The local addresses of a table of sockets: `ADDRESS:PORT` in hexadecimal, the address as the
/// machine's 32-bit words (proc(5)).
fn bound(table: &str) -> Vec<(IpAddr, u16)> {
    let read = |line: &str| -> Option<(IpAddr, u16)> {
        let (address, port) = line.split_ascii_whitespace().nth(1)?.split_once(':')?;
        if !address.len().is_multiple_of(8) {
            return None;
        }
        let mut octets = Vec::new();
        for word in address.as_bytes().chunks(8) {
            let word = std::str::from_utf8(word).ok()?;
            octets.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
        }
        let port = u16::from_str_radix(port, 16).ok()?;
        let four = <[u8; 4]>::try_from(octets.as_slice()).map(IpAddr::from);
        let sixteen = || <[u8; 16]>::try_from(octets.as_slice()).map(IpAddr::from);
        Some((four.or_else(|_| sixteen()).ok()?, port))
    };
    table.lines().skip(1).filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_listens_is_found_in_the_tables() {
        let find = |address: &str| {
            let socket = UdpSocket::bind((address, 0)).unwrap();
            let table = if address.contains(':') { "udp6" } else { "udp" };
            let local = socket.local_addr().unwrap();
            let is_it = |found| found == (local.ip(), local.port());
            assert!(has_bound(table, is_it).unwrap(), "{local}");
            drop(socket);
            assert!(!has_bound(table, is_it).unwrap(), "{local}");
        };
        find("127.0.0.1");
        find("::1");
        assert_eq!(bound("head\nnonsense\n 1: 0:0\n 1: 0G000000:0035\n"), []);
    }

    #[test]
    fn what_is_no_address_is_unreadable() {
        assert_eq!(way_to("no-address", "udp").unwrap(), Way::Unreadable);
        assert_eq!(way_to("1.2.3", "udp").unwrap(), Way::Unreadable);
        assert_eq!(way_to("::x", "udp").unwrap(), Way::Unreadable);
    }
}
