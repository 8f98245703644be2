//! Every unsafe block of netnsctl: system calls that no safe wrapper covers.
//!
//! Each wrapper cites its manual page and says which thread it acts on and what capability it
//! needs. Callers need no unsafe of their own.

pub mod descriptor;
pub mod errno;
pub mod keyring;
pub mod landlock;
pub mod limits;
pub mod mount;
pub mod namespace;
#[cfg(target_env = "gnu")]
pub mod nss;
pub mod packet;
pub mod peer;
pub mod program;
pub mod signal;
pub mod spawn;
pub mod witness;

pub mod activation;
pub mod datagram;
