//! What the tests share that harm the program: fail its system calls, or kill it.

pub(crate) mod chance;
pub(crate) mod table;
pub(crate) mod watch;
pub(crate) mod world;
