//! Observes the kernel and carries out plans.
#![forbid(unsafe_code)]
