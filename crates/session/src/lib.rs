//! Sessions: a process enters a namespace or a sandbox, and becomes a command there.
//!
//! | module | holds |
//! |---|---|
//! | [`run`] | entering a namespace and its view |
//! | [`caller`] | the user who called a privileged `run` |
//! | [`sandbox`] | a throw-away machine, made and joined |
//! | `keyring` | the keys that a process has from the process that started it |
#![forbid(unsafe_code)]

pub mod caller;
mod keyring;
pub mod run;
pub mod sandbox;
