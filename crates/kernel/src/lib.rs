//! Observes the kernel and carries out plans.
//!
//! [`observe`] fills in what `netnsctl-model` needs to plan, [`apply`] carries a plan out,
//! [`teardown`] takes namespaces away. All of it blocks, and all that enters a foreign namespace
//! happens on a thread that ends there ([`netns::wander`]).
#![forbid(unsafe_code)]

pub mod apply;
pub mod caller;
pub mod error;
pub mod etc;
pub mod host;
mod host_identity;
mod keyring;
pub mod listeners;
mod lock;
mod mountinfo;
pub mod names;
pub mod netns;
pub mod nscd;
pub mod observe;
mod own_files;
mod own_world;
mod polkit;
mod presence;
mod probe;
pub mod processes;
pub mod question;
mod record;
pub mod rights;
mod root_folder;
pub mod run;
mod run_folder;
pub mod sandbox;
pub mod state_dir;
pub mod survey;
mod sysctl;
pub mod teardown;
pub mod traffic;
pub mod view;

pub use host_identity::HostProcess;
pub use record::fuzz_record;
