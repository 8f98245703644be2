//! Typed, synchronous rtnetlink(7).
//!
//! A [`Socket`] belongs to the network namespace of the thread that opened it and stays there for
//! life, whoever uses it later. Changes are collected in a [`Batch`] and sent in one system call;
//! the kernel's own words (extended acks, Documentation/userspace-api/netlink/intro.rst) come back
//! in [`KernelError`].
//!
//! This crate knows links, addresses, routes and namespace ids, as the kernel knows them, and of
//! some other things that they are there. What
//! they mean to netnsctl is not its business.
#![forbid(unsafe_code)]

pub use netlink_packet_core as packet_core;
pub use netlink_packet_route as packet;

mod batch;
mod connection;
mod error;
mod extack;
mod generic;
mod link_events;
mod message;
mod netconf;
mod nftables;
mod socket;
mod survey;

pub use batch::{Batch, NewLink, NewVeth, VethEnd};
pub use error::{Error, KernelError};
pub use extack::fuzz_error_payload;
pub use generic::generic_family;
pub use link_events::LinkEvents;
pub use message::{Address, Flow, Link, Route, Traffic};
pub use netconf::{Forwarding, fuzz_netconf};
pub use nftables::nftables;
pub use socket::{Socket, change_requests, fuzz_answers};
pub use survey::{AnyRoute, present};
