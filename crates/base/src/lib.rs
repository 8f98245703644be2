//! What all crates that work on the kernel, /run and /etc share.
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | what can go wrong, each step with its object, and the next step for the user |
//! | [`presence`] | present, absent or unknown |
//! | [`netns`] | a network namespace as a descriptor, and the threads that visit one |
//! | [`files`] | files and folders that are made, locked and replaced |
//! | [`state_folder`], [`run_folder`] | `/run/netnsctl` and `/run/netns-NAME` |
//! | [`processes`] | who keeps a namespace alive |
//! | [`rights`], [`user_namespace`] | what this process may do |
#![forbid(unsafe_code)]

pub mod error;
pub mod files;
pub mod lock;
pub mod netns;
pub mod presence;
pub mod processes;
pub mod rights;
pub mod run_folder;
pub mod state_folder;
pub mod user_namespace;
