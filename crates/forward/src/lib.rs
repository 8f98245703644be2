//! Carries TCP and UDP ports from one network namespace into another.
#![forbid(unsafe_code)]
