//! A system call that a watched process is about to make.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// A system call that waits for a verdict.
#[derive(Debug)]
pub struct Call {
    /// What the kernel knows it by.
    pub(crate) id: u64,
    /// The thread that makes it.
    pub thread: u32,
    /// Its number (`libc::SYS_…`).
    pub number: libc::c_long,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// Bytes of a path that are read at most; more than any path of the tests.
const PATH_BYTES: usize = 256;

impl Call {
    pub(crate) fn new(id: u64, thread: u32, data: &libc::seccomp_data) -> Self {
        Self {
            id,
            thread,
            number: libc::c_long::from(data.nr),
            arguments: data.args,
        }
    }

    /// An argument as the C type `int`.
    pub fn int(&self, argument: usize) -> i32 {
        // The upper half of the register may hold anything.
        #[expect(clippy::cast_possible_truncation, reason = "that is the point")]
        let low = self.arguments[argument] as u32;
        low.cast_signed()
    }

    /// The string that an argument points at, as far as it is readable.
    pub fn string(&self, argument: usize) -> String {
        let mut buffer = [0; PATH_BYTES];
        let address = self.arguments[argument];
        let memory = File::open(format!("/proc/{}/mem", self.thread));
        let count = memory.and_then(|memory| memory.read_at(&mut buffer, address));
        let read = &buffer[..count.unwrap_or(0)];
        let text = read.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// What the descriptor in an argument is open on, as its link in /proc says.
    pub fn descriptor(&self, argument: usize) -> String {
        let path = format!("/proc/{}/fd/{}", self.thread, self.int(argument));
        let link = std::fs::read_link(path);
        link.map_or_else(|_| String::new(), |link| link.display().to_string())
    }
}

/// The process of a thread, and that one's parent.
pub fn process(thread: u32) -> Option<(u32, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line?.trim().parse().ok()
    };
    Some((value("Tgid:")?, value("PPid:")?))
}
