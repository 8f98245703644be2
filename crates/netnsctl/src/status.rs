//! What `status` knows, gathered and shown: as text for people, as JSON for programs.

mod gather;
mod nscd;
mod services;
mod text;
pub(crate) mod wire;

pub(crate) use gather::{all_traffic, ask, gather};
pub(crate) use text::render;
