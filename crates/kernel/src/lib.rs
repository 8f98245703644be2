//! Observes the kernel and carries out plans.
//!
//! [`observe`] fills in what `netnsctl-model` needs to plan, [`apply`] carries a plan out,
//! [`teardown`] takes namespaces away. All of it blocks, and all that enters a foreign namespace
//! happens on a thread that ends there ([`netnsctl_base::netns::wander`]).
#![forbid(unsafe_code)]

pub mod apply;
pub mod etc;
mod executor;
mod host_identity;
mod item;
mod mountinfo;
pub mod names;
pub mod observe;
mod own_files;
mod own_world;
pub mod place;
mod polkit;
mod pristine;
mod record;
mod refusal;
pub mod state_dir;
pub mod survey;
mod sysctl;
pub mod teardown;

pub use record::fuzz_record;
