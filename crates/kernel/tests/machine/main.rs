//! Tests of the engine against the kernel, each on a machine of its own (crates/machine).
#![forbid(unsafe_code)]

mod engine;
mod items;
mod kinds;

fn main() -> std::process::ExitCode {
    netnsctl_machine::main(env!("CARGO_PKG_NAME"))
}
