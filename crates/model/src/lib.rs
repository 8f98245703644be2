//! Configuration, desired state and plan of netnsctl.
//!
//! Data flows one way through here: the text of configuration files becomes a [`desired::Desired`]
//! ([`config`]); together with what the kernel layer [`observed`], it becomes a [`plan::Plan`].
//! Nothing in this crate opens a file, a socket or a clock: the same input gives the same plan.
#![forbid(unsafe_code)]

pub mod address;
pub mod config;
pub mod desired;
pub mod etc_files;
pub mod forward_address;
pub mod item;
pub mod name;
pub mod observed;
pub mod outside;
pub mod plan;
pub mod polkit;
pub mod quote;
pub mod surveyed;
#[cfg(feature = "testing")]
pub mod testing;
