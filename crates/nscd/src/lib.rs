//! A daemon for glibc's nscd protocol: answers the C library's look-ups of users, groups, hosts,
//! services and netgroups for clients in the same view of files and network.
//!
//! glibc sends each look-up of its clients to `/run/nscd/socket` if somebody listens there. Whoever
//! does decides which nsswitch.conf, resolv.conf and network answer, so a namespace with a daemon of
//! its own has names of its own. [`run`] is that daemon. It asks the modules of nsswitch.conf(5)
//! through the C library and passes on what they say.
//!
//! **A thread accepts, reads, looks up and answers in one go**, without handing the client on: that
//! is the shortest way. What a module waits for holds its thread, so before a thread looks anything
//! up it makes sure that another one accepts: one that does already, or one it starts. Look-ups of
//! each [`Family`] are bounded, and threads by the sum of the bounds; beyond, a client is told at
//! once to look up by itself, as glibc knows how to. So whatever hosts hang, users are answered.
//!
//! Clients that do not send their request at once, or do not read their answer, wait in the lobby:
//! one epoll loop on the thread that called [`run`], which never looks anything up.
//!
//! | module | holds |
//! |---|---|
//! | `request` | frames and keys, from bytes that nobody vouches for |
//! | `reply` | the structures that answer |
//! | `lookup` | one look-up and its outcome |
//! | `identity` | whose network and files a daemon answers with, for `doctor` |
//! | `family` | bounds on what is looked up at once |
//! | `desk` | a client, from its request to its answer |
//! | `pool`, `shared` | the threads: accepting, starting others, going home; what they share |
//! | `lobby`, `server` | clients that wait; start and end of the daemon |
//! | `own_files` | whether the namespace's files still show in /etc |
//! | `cache`, `sources`, `stamp` | replies given again, while the files they came from are the same |
//! | `statistics`, `options` | what is counted and what can be set |
#![forbid(unsafe_code)]

mod cache;
mod desk;
mod family;
pub mod identity;
mod lobby;
mod lookup;
mod options;
mod own_files;
mod pool;
mod reply;
pub mod request;
mod server;
mod shared;
mod sources;
mod stamp;
mod statistics;

pub use family::{Bounds, Family};
pub use options::Options;
pub use own_files::OwnFiles;
pub use server::{Ended, RunError, run};
