//! Stands for `filter` on architectures that it is not written for.

use rustix::net::AddressFamily;

/// Restricts nothing and says why.
pub(crate) fn install(_: AddressFamily) -> Result<(), &'static str> {
    Err("it is written for aarch64, riscv64 and x86_64 only")
}
