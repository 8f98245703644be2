//! What a process keeps in memory.

use std::io;

// SAFETY: ld(1) defines both, at the program's first byte and behind the last one of its code.
unsafe extern "C" {
    static __executable_start: u8;
    static etext: u8;
}

/// Unmaps the pages of the program's own code and constants; each comes back from the page cache at
/// its next use.
///
/// For a long-running part once it has started: the kernel maps some 16 pages around each one that
/// the start touched, and they would count as this process's memory from then on. Takes some
/// microseconds. Breakpoints that a debugger has set go too.
///
/// Errors: those of madvise(2), upon which everything stays as it is.
pub fn forget_start() -> io::Result<()> {
    // SAFETY: asks for the page size, which touches no memory of ours.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).map_err(|_| io::ErrorKind::Unsupported)?;
    let start = (&raw const __executable_start).addr();
    let end = (&raw const etext).addr();
    let length = end.saturating_sub(start) & !(page - 1);
    let start = (&raw const __executable_start).cast_mut().cast();
    // SAFETY: the range begins with the program's first page and ends before its last one with
    // code. All of it is mapped from the program's file without a right to write (what the loader
    // relocates comes behind), so that every page read again has the same bytes.
    match unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_on_after_its_code_was_forgotten() {
        let constant = "a constant, which is among what is forgotten";
        forget_start().unwrap();
        assert_eq!(constant.bytes().filter(|byte| *byte == b'a').count(), 4);
    }
}
