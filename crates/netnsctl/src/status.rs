//! What `status` knows, gathered and shown: as text for people, as JSON for programs.

mod gather;
mod hints;
mod nscd;
mod services;
pub(crate) mod text;
mod watch;
pub(crate) mod wire;

#[cfg(feature = "top")]
pub(crate) use gather::gather_of;
pub(crate) use gather::{all_traffic, ask, gather};
pub(crate) use text::render;
pub(crate) use watch::watch;
