//! What is in a namespace, and what somebody does there by hand.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::path::Path;

use netnsctl_base::netns::{self, Netns};
use netnsctl_kernel::names;
use netnsctl_model::name::NetnsName;
use netnsctl_netlink::{Address, Batch, Link, NewLink, Socket};
use rustix::mount::{
    MountPropagationFlags, UnmountFlags, mount_bind, mount_bind_recursive, mount_change, unmount,
};

use crate::PATIENCE;

/// A name that is one.
pub fn name(text: &str) -> NetnsName {
    NetnsName::parse(text).expect("a namespace's name")
}

/// A namespace by its name, or home.
#[track_caller]
pub fn netns(text: &str) -> Netns {
    match text {
        "default" => Netns::current().expect("home can be opened"),
        text => names::open(&name(text)).expect("the namespace is there"),
    }
}

/// Does `work` on a thread inside a namespace. Sockets opened there stay there.
#[track_caller]
pub fn within<T: Send>(netns: &str, work: impl FnOnce() -> T + Send) -> T {
    let handle = self::netns(netns);
    netns::within(&handle, netns, work).expect("the namespace can be entered")
}

/// A netlink socket inside.
#[track_caller]
pub fn socket(netns: &str) -> Socket {
    within(netns, Socket::open).expect("a netlink socket")
}

/// All links.
#[track_caller]
pub fn links(netns: &str) -> Vec<Link> {
    socket(netns).links().expect("the links")
}

/// The link of that name, which must be there.
#[track_caller]
pub fn link(netns: &str, interface: &str) -> Link {
    let found = links(netns).into_iter().find(|link| link.name == interface);
    found.unwrap_or_else(|| panic!("no link {interface} in {netns}"))
}

/// Whether there is a link of that name.
#[track_caller]
pub fn has_link(netns: &str, interface: &str) -> bool {
    links(netns).iter().any(|link| link.name == interface)
}

/// The addresses of a link as the kernel tells them.
#[track_caller]
pub fn raw_addresses(netns: &str, interface: &str) -> Vec<Address> {
    let index = link(netns, interface).index;
    let mut all = socket(netns).addresses().expect("the addresses");
    all.retain(|address| address.index == index);
    all
}

/// The addresses of a link, with their prefixes.
#[track_caller]
pub fn addresses(netns: &str, interface: &str) -> Vec<String> {
    let all = raw_addresses(netns, interface);
    let text = |address: &Address| format!("{}/{}", address.ip, address.prefix_len);
    all.iter().map(text).collect()
}

/// The routes that nobody but a person or a program made.
#[track_caller]
pub fn routes(netns: &str) -> Vec<String> {
    let links = links(netns);
    let routes = socket(netns).routes().expect("the routes");
    let text = |route: &netnsctl_netlink::Route| {
        let via = route.gateway.map(|gateway| format!(" via {gateway}"));
        let link = links
            .iter()
            .find(|link| Some(link.index) == route.interface);
        let dev = link.map(|link| format!(" dev {}", link.name));
        let (via, dev) = (via.unwrap_or_default(), dev.unwrap_or_default());
        format!("{}/{}{via}{dev}", route.destination, route.prefix_len)
    };
    routes
        .iter()
        .filter(|route| !route.kernel_made)
        .map(text)
        .collect()
}

/// The value of a sysctl in a namespace.
#[track_caller]
pub fn sysctl(netns: &str, key: &str) -> String {
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    let text = within(netns, || std::fs::read_to_string(path));
    text.expect("the key can be read").trim_end().to_owned()
}

/// Writes a sysctl by hand.
#[track_caller]
pub fn set_sysctl(netns: &str, key: &str, value: &str) {
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    within(netns, || std::fs::write(path, value)).expect("the key can be written");
}

/// Changes something by hand; all of it must work.
#[track_caller]
pub fn by_hand(netns: &str, add: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    add(&mut batch);
    let results = socket(netns).commit(batch).expect("the exchange works");
    for result in results {
        result.expect("the kernel agrees");
    }
}

/// Adds a bridge by hand, a link of the kind that every kernel has.
#[track_caller]
pub fn add_bridge(netns: &str, interface: &str) {
    let link = NewLink {
        name: interface,
        kind: "bridge",
        ..NewLink::default()
    };
    by_hand(netns, |batch| {
        batch.create_link(link);
        batch.set_link_up(interface);
    });
}

/// Adds an address by hand.
#[track_caller]
pub fn add_address(netns: &str, interface: &str, ip: &str, prefix_len: u8) {
    let index = link(netns, interface).index;
    let ip: IpAddr = ip.parse().expect("an address");
    by_hand(netns, |batch| batch.add_address(index, ip, prefix_len));
}

/// Removes an address by hand.
#[track_caller]
pub fn remove_address(netns: &str, interface: &str, ip: &str, prefix_len: u8) {
    let index = link(netns, interface).index;
    let ip: IpAddr = ip.parse().expect("an address");
    by_hand(netns, |batch| batch.delete_address(index, ip, prefix_len));
}

/// Sets a link down by hand.
#[track_caller]
pub fn set_down(netns: &str, interface: &str) {
    // IFF_UP is the one flag to change, to 0.
    change_link(netns, interface, 1, &[]);
    assert!(!link(netns, interface).up);
}

/// Moves a link into another namespace by hand.
#[track_caller]
pub fn move_link(netns: &str, interface: &str, to: &Netns) {
    use std::os::fd::AsFd as _;
    let fd = to.as_fd().as_raw_fd();
    // IFLA_NET_NS_FD of include/uapi/linux/if_link.h.
    let mut attribute = [8u16.to_ne_bytes(), 28u16.to_ne_bytes()].concat();
    attribute.extend(fd.to_ne_bytes());
    change_link(netns, interface, 0, &attribute);
    assert!(!has_link(netns, interface));
}

/// Sends an RTM_NEWLINK (rtnetlink(7)), which the product's own layer has no word for.
#[track_caller]
fn change_link(netns: &str, interface: &str, change: u32, attributes: &[u8]) {
    use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketType};
    let index = link(netns, interface).index;
    let length = u32::try_from(32 + attributes.len()).expect("a short message");
    let mut message = length.to_ne_bytes().to_vec();
    // RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence 1, port 0; then struct ifinfomsg.
    message.extend([16u16.to_ne_bytes(), 5u16.to_ne_bytes()].concat());
    let words = [1, 0, 0, index, 0, change];
    message.extend(words.iter().flat_map(|word: &u32| word.to_ne_bytes()));
    message.extend(attributes);
    let open = || net::socket(AddressFamily::NETLINK, SocketType::RAW, None);
    let socket = within(netns, open).expect("a netlink socket");
    net::send(&socket, &message, SendFlags::empty()).expect("the kernel takes it");
    let mut answer = [0u8; 4096];
    let (length, _) = net::recv(&socket, &mut answer[..], RecvFlags::empty()).expect("an answer");
    // struct nlmsgerr begins behind the header with the errno.
    assert_eq!(
        answer.get(16..20),
        Some(&[0u8; 4][..]),
        "{:?}",
        &answer[..length]
    );
}

/// A TCP connection inside a namespace, both ends in the hands of the test.
pub struct Connection(TcpStream, TcpStream);

impl Connection {
    /// Opens one from and to `ip`.
    #[track_caller]
    pub fn open(netns: &str, ip: &str) -> Self {
        let ip: IpAddr = ip.parse().expect("an address");
        let listener = within(netns, || TcpListener::bind(SocketAddr::new(ip, 0)));
        let listener = listener.expect("the address can be bound");
        let address = listener.local_addr().expect("it is bound");
        let client = within(netns, || connect(address)).expect("it is listening");
        let (server, _) = listener.accept().expect("a client waits");
        for end in [&client, &server] {
            end.set_read_timeout(Some(PATIENCE))
                .expect("a valid timeout");
        }
        let connection = Self(client, server);
        connection.carries();
        connection
    }

    /// Sends something each way.
    #[track_caller]
    pub fn carries(&self) {
        for (mut from, mut to) in [(&self.0, &self.1), (&self.1, &self.0)] {
            from.write_all(b"still there?").expect("it can be sent");
            let mut heard = [0; 12];
            to.read_exact(&mut heard).expect("it arrives");
            assert_eq!(&heard, b"still there?");
        }
    }
}

/// Connects from the very address it connects to: the kernel would take the first of a subnet for
/// the second.
fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(address.ip(), 0))?;
    connect(&socket, &address)?;
    Ok(socket.into())
}

/// Makes a namespace and names it as `ip netns add` does, by other means than the product's.
#[track_caller]
pub fn make_foreign(text: &str) {
    let path = format!("/run/netns/{text}");
    std::fs::create_dir_all("/run/netns").expect("/run is ours");
    let share = || {
        let flags = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
        mount_change("/run/netns", flags)
    };
    if share().is_err() {
        mount_bind_recursive("/run/netns", "/run/netns").expect("it can be bound");
        share().expect("a mount can be shared");
    }
    std::fs::File::create_new(&path).expect("the name is free");
    let made = std::thread::spawn(move || {
        netnsctl_sys::namespace::unshare_network()?;
        Ok::<_, std::io::Error>(mount_bind("/proc/thread-self/ns/net", &path)?)
    });
    made.join()
        .expect("no panic")
        .expect("a namespace can be made");
}

/// Takes a name away as `ip netns del` does.
#[track_caller]
pub fn delete_by_hand(text: &str) {
    let path = format!("/run/netns/{text}");
    unmount(&path, UnmountFlags::DETACH).expect("a namespace is mounted there");
    std::fs::remove_file(&path).expect("the file is left");
}

/// Whether something stands at the name, be it a namespace or not.
pub fn name_exists(text: &str) -> bool {
    Path::new("/run/netns").join(text).exists()
}

/// The inode of a namespace.
#[track_caller]
pub fn inode(text: &str) -> u64 {
    netns(text).inode
}
