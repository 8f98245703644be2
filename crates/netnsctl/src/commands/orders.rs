//! A forwarder that goes on with other options: what its command line says now, sent as an order.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use netnsctl_model::desired::Protocol;
use netnsctl_model::name::NetnsRef;
use netnsctl_units::{control_path, orders_path};

use super::forward::order::{label, read};
use crate::status::ForwardState;

/// How long a forwarder may take to go by an order. It takes one between two events.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether it does.
const POLL: Duration = Duration::from_millis(5);

/// The forwarder of a unit, in a namespace and of a number there.
pub(super) struct OfUnit<'a> {
    pub(super) netns: &'a NetnsRef,
    pub(super) number: usize,
    pub(super) protocol: Protocol,
}

impl OfUnit<'_> {
    /// What the options that it goes by are called; none if it does not answer, or does not know.
    pub(super) fn label(&self) -> Option<String> {
        let control = control_path(self.netns, self.number, self.protocol)?;
        let forwarder = ForwardState::ask(Path::new(&control));
        let options = &forwarder.counters()?.options;
        (!options.is_empty()).then(|| options.clone())
    }

    /// Has it go on as `words` say, a command line without the program. False if it has to be
    /// started anew for that.
    pub(super) fn change(&self, words: &[String]) -> bool {
        let wanted = label(words.iter().map(String::as_str));
        // It would refuse by itself, but without a word to us. A label with a space in a word is not
        // read, and then it is started anew.
        let in_force = |label: &str| {
            let line = label.split(' ').map(|word| format!("{word}\0"));
            read(line.collect::<String>().as_bytes())
        };
        let order: String = words.iter().map(|word| format!("{word}\0")).collect();
        let may = match (
            self.label().as_deref().map(in_force),
            read(order.as_bytes()),
        ) {
            (Some(Ok(now)), Ok(new)) => now.may_become(&new).is_ok(),
            _ => false,
        };
        may && self.send(order.as_bytes()) && self.follows(&wanted)
    }

    fn send(&self, order: &[u8]) -> bool {
        let path = orders_path(self.netns, self.number, self.protocol);
        let sent = path.map(|path| UnixDatagram::unbound()?.send_to(order, path));
        sent.is_some_and(|sent| sent.is_ok())
    }

    fn follows(&self, label: &str) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.label().as_deref() != Some(label) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }
}
