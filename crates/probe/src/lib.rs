//! Probes: what a host can do and what happens on it, for `doctor`, `top` and hints. Nothing is changed.
//!
//! | module | holds |
//! |---|---|
//! | [`host`] | what this kernel can do, tried in scratch namespaces |
//! | [`question`] | by which links one DNS question leaves |
//! | [`listeners`] | which process has an address that cannot be bound |
//! | [`traffic`] | what the links of namespaces have carried |
#![forbid(unsafe_code)]

pub mod host;
pub mod listeners;
pub mod question;
pub mod traffic;
