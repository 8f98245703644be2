//! Who has an address that cannot be bound: for the hint of an error, so nothing here fails.
//!
//! The kernel's tables of sockets (proc_pid_net(5)) give the inode of a socket, and the links in
//! /proc/PID/fd say who has it open. A unix socket tells by itself who made it listen.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use netnsctl_base::processes;
use netnsctl_sys::peer::peer;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Processes that are named; a server may have many with the same socket.
const NAMED_MOST: usize = 3;

/// The state of a TCP socket that listens, as the tables have it (include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// Which tables of the kernel to look in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Those of TCP.
    Tcp,
    /// Those of UDP.
    Udp,
}

/// A socket of the kernel's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    address: SocketAddr,
    user: u32,
    inode: u64,
}

/// Who has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The processes, as far as they can be seen.
    pub pids: Vec<u32>,
    /// Who has what, for people.
    pub words: String,
}

/// Who stands in the way of whoever would bind `address` in the network namespace of the calling
/// thread; none if nobody does.
///
/// Processes of other users are seen by those who may look at them (CAP_SYS_PTRACE, ptrace(2)).
pub fn taken(transport: Transport, address: SocketAddr) -> Option<Taken> {
    let rows = in_the_way(&rows(transport), address);
    let first = rows.first()?;
    let is_in_way = |pid: &u32| rows.iter().any(|row| has_open(*pid, row.inode));
    let pids: Vec<_> = processes::ids()
        .unwrap_or_default()
        .into_iter()
        .filter(is_in_way)
        .collect();
    let words = match named(&pids) {
        Some(named) => format!("{named} has {}", first.address),
        None => format!(
            "a socket of user {} at {} has it, of a process that cannot be seen from here",
            first.user, first.address
        ),
    };
    Some(Taken { pids, words })
}

/// What to do about `address`, which is taken in the network namespace of the calling thread: names
/// the processes that have it, as [`taken`] does.
pub fn hint_about_port(transport: Transport, address: SocketAddr) -> String {
    match taken(transport, address) {
        None => {
            let port = address.port();
            format!("whoever had port {port} seems to be gone; try again")
        }
        Some(Taken { pids, words }) if pids.is_empty() => format!("{words}; ask again as root"),
        Some(Taken { words, .. }) => format!("{words}; end it, or declare another port"),
    }
}

/// What to do about a unix socket at `path`, which cannot be bound: names who listens there.
pub fn hint_about_path(path: &Path) -> String {
    match listener_at(path) {
        Ok(Some(pid)) => format!(
            "process {pid} ({}) listens there; end it, or declare another path",
            processes::command(pid)
        ),
        Ok(None) => "a process that cannot be seen from here listens there".to_owned(),
        Err(Errno::PROTOTYPE) => {
            "a socket of another kind is there; declare another path".to_owned()
        }
        Err(_) => "what is there is no socket: remove it, or declare another path".to_owned(),
    }
}

/// Who called listen(2) on the socket at `path` (SO_PEERCRED, unix(7)); none if that is in another
/// process namespace. It gets a client that says nothing.
fn listener_at(path: &Path) -> Result<Option<u32>, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let client: OwnedFd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&client, &SocketAddrUnix::new(path)?)?;
    Ok(peer(client.as_fd()).ok().and_then(|peer| peer.pid))
}

fn named(pids: &[u32]) -> Option<String> {
    let one = |pid: &u32| format!("process {pid} ({})", processes::command(*pid));
    let words: Vec<_> = pids.iter().take(NAMED_MOST).map(one).collect();
    let more = pids.len().saturating_sub(NAMED_MOST);
    match (words.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(words.join(", ")),
        (false, more) => Some(format!("{} and {more} more", words.join(", "))),
    }
}

fn has_open(pid: u32, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let links = entries.into_iter().flatten().flatten();
    let mut links = links.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.any(|link| link.as_os_str() == wanted.as_str())
}

/// The sockets that take part in the contest for an address.
fn rows(transport: Transport) -> Vec<Row> {
    let tables = match transport {
        Transport::Tcp => ["tcp", "tcp6"],
        Transport::Udp => ["udp", "udp6"],
    };
    let mut rows = Vec::new();
    for table in tables {
        // Not /proc/self, which is the first thread's.
        let Ok(file) = std::fs::File::open(format!("/proc/thread-self/net/{table}")) else {
            continue;
        };
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        rows.extend(lines.filter_map(|line| row(&line, transport)));
    }
    rows
}

/// A line of such a table; none for its heading and for sockets that take no address.
fn row(line: &str, transport: Transport) -> Option<Row> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let address = address(fields.next()?)?;
    let state = fields.nth(1)?;
    let user = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    (transport == Transport::Udp || state == LISTEN).then_some(Row {
        address,
        user,
        inode,
    })
}

/// `0100007F:1F90` is 127.0.0.1:8080: words in the processor's order, the port as it is written.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| {
        let word = ip.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// Those that stand in the way of `wanted`: first of its family, else those that serve both.
fn in_the_way(rows: &[Row], wanted: SocketAddr) -> Vec<Row> {
    let overlaps = |row: &&Row| {
        let (ip, other) = (row.address.ip().to_canonical(), wanted.ip().to_canonical());
        let any = ip.is_unspecified() || other.is_unspecified();
        row.address.port() == wanted.port() && (ip == other || any)
    };
    let all: Vec<_> = rows.iter().filter(overlaps).cloned().collect();
    let is_same = |row: &&Row| row.address.is_ipv4() == wanted.is_ipv4();
    let same: Vec<_> = all.iter().filter(is_same).cloned().collect();
    if same.is_empty() { all } else { same }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn at(text: &str) -> Row {
        Row {
            address: text.parse().unwrap(),
            user: 0,
            inode: 1,
        }
    }

    #[test]
    fn sockets_of_this_process_are_found_in_the_tables() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        let has = |transport, address: SocketAddr| {
            let rows = in_the_way(&rows(transport), address);
            let own = |row: &Row| has_open(std::process::id(), row.inode);
            rows.len() == 1 && own(&rows[0])
        };
        assert!(has(Transport::Tcp, tcp.local_addr().unwrap()));
        assert!(has(Transport::Udp, udp.local_addr().unwrap()));
    }

    #[test]
    fn only_what_overlaps_is_in_the_way() {
        let rows = [
            at("127.0.0.1:80"),
            at("0.0.0.0:81"),
            at("[::]:82"),
            at("[::1]:80"),
        ];
        let found = |wanted: &str| in_the_way(&rows, wanted.parse().unwrap());
        assert_eq!(found("127.0.0.1:80"), [at("127.0.0.1:80")]);
        assert_eq!(found("0.0.0.0:80"), [at("127.0.0.1:80")]);
        assert_eq!(found("[::]:80"), [at("[::1]:80")]);
        assert_eq!(found("192.0.2.1:81"), [at("0.0.0.0:81")]);
        assert_eq!(found("192.0.2.1:82"), [at("[::]:82")]);
        assert_eq!(found("192.0.2.1:80"), []);
    }

    #[test]
    fn a_line_that_is_no_socket_is_none() {
        let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
        for line in ["", heading, "0: 0100007F:XX", "0: 01:0050 0 0A"] {
            assert_eq!(row(line, Transport::Udp), None, "{line}");
        }
    }

    #[test]
    fn many_processes_are_counted() {
        let own = std::process::id();
        assert_eq!(named(&[]), None);
        let text = named(&[own; 5]).unwrap();
        assert!(text.ends_with(" and 2 more"), "{text}");
    }
}
