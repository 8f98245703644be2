//! Network namespaces from a file.
#![forbid(unsafe_code)]
fn main() {}
