//! What `status` knows, gathered and shown: as text for people, as JSON for programs.

mod forward;
mod gather;
mod hints;
mod nscd;
mod services;
pub(crate) mod text;
mod watch;
pub(crate) mod wire;

pub(crate) use forward::{ForwardState, all_traffic, forwarders};
pub(crate) use gather::gather;
#[cfg(feature = "top")]
pub(crate) use gather::gather_of;
pub(crate) use text::render;
pub(crate) use watch::watch;
