//! Configuration, desired state and plan of netnsctl; pure, opens no file.
#![forbid(unsafe_code)]
