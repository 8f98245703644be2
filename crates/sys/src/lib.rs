//! Every unsafe block of netnsctl: system calls that no safe wrapper covers.

pub mod activation;
pub mod datagram;
