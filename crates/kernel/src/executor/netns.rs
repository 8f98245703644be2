//! The namespaces a plan works in: each with one netlink socket, opened once, the requests that
//! wait for it and the link indexes known of it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use netnsctl_base::error::{Context as _, Error, NetlinkContext, Object};
use netnsctl_base::netns::{Netns, Wanderer};
use netnsctl_model::name::NetnsRef;
use netnsctl_model::observed::Identity;
use netnsctl_netlink::{Batch, KernelError, Socket};

use crate::names;
use crate::observe::identity;

/// An open namespace.
pub(crate) struct Context {
    netns: Netns,
    name: String,
    socket: Socket,
    pub(crate) identity: Identity,
    /// Requests not sent yet.
    pub(super) batch: Batch,
    /// The step each of them belongs to.
    pub(super) steps: Vec<usize>,
    indexes: BTreeMap<String, u32>,
    /// For each veth listed, the index of its other end.
    peers: BTreeMap<String, u32>,
}

impl Context {
    /// The namespace the calling thread is in, which is `netns`.
    pub(crate) fn of_current(netns: Netns, name: &str) -> Result<Self, Error> {
        let socket = Socket::open().in_netns("open a socket in", name)?;
        Ok(Self {
            identity: identity(&netns, name, &socket)?,
            netns,
            name: name.to_owned(),
            socket,
            batch: Batch::new(),
            steps: Vec::new(),
            indexes: BTreeMap::new(),
            peers: BTreeMap::new(),
        })
    }

    /// Another descriptor of the namespace, for a request that names it.
    pub(crate) fn handle(&self) -> Result<OwnedFd, Error> {
        let fd = self.netns.as_fd().try_clone_to_owned();
        fd.context("duplicate the descriptor of", Object::netns(&self.name))
    }

    pub(crate) fn known_index(&self, name: &str) -> Option<u32> {
        self.indexes.get(name).copied()
    }

    pub(crate) fn learn_index(&mut self, name: &str, index: u32) {
        self.indexes.insert(name.to_owned(), index);
    }

    pub(crate) fn forget_index(&mut self, name: &str) {
        self.indexes.remove(name);
        self.peers.remove(name);
    }

    /// Lists the links and finds `name` among them. Requests that wait must have been sent.
    pub(crate) fn look_up_index(&mut self, name: &str) -> Result<u32, Error> {
        self.list_links()?;
        self.known_index(name)
            .map_or_else(|| self.no_link(name), Ok)
    }

    /// Whether there is a link of that name. Requests that wait must have been sent.
    pub(crate) fn has_link(&mut self, name: &str) -> Result<bool, Error> {
        self.list_links()?;
        Ok(self.known_index(name).is_some())
    }

    /// The index of the other end of the veth `name`, in that end's namespace.
    pub(crate) fn peer_index(&mut self, name: &str) -> Result<u32, Error> {
        self.list_links()?;
        self.peers
            .get(name)
            .copied()
            .map_or_else(|| self.no_link(name), Ok)
    }

    fn list_links(&mut self) -> Result<(), Error> {
        for link in self
            .socket
            .links()
            .in_netns("list the links of", &self.name)?
        {
            self.peers
                .extend(link.peer_index.map(|index| (link.name.clone(), index)));
            self.indexes.insert(link.name, link.index);
        }
        Ok(())
    }

    fn no_link(&self, name: &str) -> Result<u32, Error> {
        let object = Object::Other(format!("link \"{name}\" in netns \"{}\"", self.name));
        let missing: Result<u32, _> = Err(rustix::io::Errno::NODEV);
        missing.context("find", object)
    }
}

/// The namespaces open at the moment, and which of them the wandering thread is in.
#[derive(Default)]
pub(super) struct OpenNetns {
    contexts: BTreeMap<NetnsRef, Context>,
    inside: Option<NetnsRef>,
}

/// The answers to a batch, and the steps they belong to.
type Committed = (
    Result<Vec<Result<(), KernelError>>, netnsctl_netlink::Error>,
    Vec<usize>,
);

impl OpenNetns {
    /// Takes in a namespace that the wandering thread has just made and is in.
    pub(super) fn insert(&mut self, netns: NetnsRef, context: Context) {
        self.inside = Some(netns.clone());
        self.contexts.insert(netns, context);
    }

    /// The wandering thread is about to be moved by somebody else.
    pub(super) fn leave(&mut self) {
        self.inside = None;
    }

    pub(super) fn get(
        &mut self,
        netns: &NetnsRef,
        home: &Netns,
        wanderer: &mut Wanderer,
    ) -> Result<&mut Context, Error> {
        if !self.contexts.contains_key(netns) {
            let handle = match netns {
                NetnsRef::Home => {
                    let fd = home.as_fd().try_clone_to_owned();
                    let fd = fd.context(
                        "duplicate the descriptor of",
                        Object::other("the home namespace"),
                    )?;
                    Netns::from_fd(fd).context("look at", Object::other("the home namespace"))?
                }
                NetnsRef::Named(name) => names::open(name)?,
            };
            wanderer.enter(&handle, netns.as_str())?;
            self.insert(netns.clone(), Context::of_current(handle, netns.as_str())?);
        }
        self.contexts
            .get_mut(netns)
            .ok_or_else(|| Error::NoSuchNetns(netns.to_string()))
    }

    /// Moves the wandering thread there, unless it is there.
    pub(super) fn enter(
        &mut self,
        netns: &NetnsRef,
        home: &Netns,
        wanderer: &mut Wanderer,
    ) -> Result<(), Error> {
        if self.inside.as_ref() != Some(netns) {
            let context = self.get(netns, home, wanderer)?;
            wanderer.enter(&context.netns, netns.as_str())?;
            self.inside = Some(netns.clone());
        }
        Ok(())
    }

    /// Sends what waits for `netns`; none if nothing does.
    pub(super) fn commit(&mut self, netns: &NetnsRef) -> Option<Committed> {
        let context = self
            .contexts
            .get_mut(netns)
            .filter(|context| !context.batch.is_empty())?;
        let batch = std::mem::take(&mut context.batch);
        let steps = std::mem::take(&mut context.steps);
        Some((context.socket.commit(batch), steps))
    }

    pub(super) fn names(&self) -> Vec<NetnsRef> {
        self.contexts.keys().cloned().collect()
    }

    pub(super) fn close(&mut self, netns: &NetnsRef) {
        self.contexts.remove(netns);
    }
}
