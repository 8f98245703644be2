//! Typed, synchronous rtnetlink with the kernel's own words for errors.
#![forbid(unsafe_code)]
