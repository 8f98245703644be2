//! The filter of the program: classic BPF, see seccomp(2).

use std::io;
use std::os::fd::RawFd;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;

/// `SECCOMP_RET_ALLOW`.
const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_USER_NOTIF`.
const ASK: u32 = 0x7fc0_0000;

/// Which instruction of the filter holds the descriptor over which the listener is sent.
const CHANNEL_AT: usize = 5;

/// Operations (linux/bpf_common.h): BPF_LD with BPF_W and BPF_ABS, BPF_JMP with BPF_JEQ, BPF_RET.
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Makes an instruction that does not branch.
const fn plain(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Makes an instruction that goes on at the next if the value is `k`, else `otherwise` further on.
const fn if_equal(k: u32, otherwise: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: JUMP_IF_EQUAL,
        jt: 0,
        jf: otherwise,
        k,
    }
}

/// The filter: lets calls of another architecture pass, those in `unasked`, and sendmsg(2) on the
/// descriptor over which the listener is sent; asks about all others.
pub(crate) fn program(unasked: &[libc::c_long]) -> Vec<libc::sock_filter> {
    const FIRST_ARGUMENT: u32 = 16 + if cfg!(target_endian = "big") { 4 } else { 0 };
    let mut program = vec![
        plain(LOAD, ARCHITECTURE_AT),
        if_equal(ARCHITECTURE, 4),
        plain(LOAD, NUMBER),
        if_equal(call_number(libc::SYS_sendmsg), 3),
        plain(LOAD, FIRST_ARGUMENT),
        if_equal(0, 1),
        plain(RETURN, ALLOW),
        plain(LOAD, NUMBER),
    ];
    for call in unasked {
        program.push(if_equal(call_number(*call), 1));
        program.push(plain(RETURN, ALLOW));
    }
    program.push(plain(RETURN, ASK));
    program
}

fn call_number(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// Installs the filter in the calling process, which has a single thread; `channel` is the
/// descriptor on which sendmsg(2) is not asked about. Gives the listener.
pub(crate) fn install(program: &[libc::sock_filter], channel: RawFd) -> io::Result<RawFd> {
    let mut copy = [plain(0, 0); 64];
    let Some(filter) = copy.get_mut(..program.len()) else {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    };
    filter.copy_from_slice(program);
    filter[CHANNEL_AT].k = channel.unsigned_abs();
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap_or(u16::MAX),
        filter: filter.as_mut_ptr(),
    };
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // A signal does not make the kernel ask about the same call again (Linux 5.19).
    for flags in [flags | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, flags] {
        // SAFETY: `filter` points at `len` instructions, which the kernel copies.
        let listener = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const filter,
            )
        };
        if let Ok(listener @ 0..) = RawFd::try_from(listener) {
            return Ok(listener);
        }
    }
    Err(io::Error::last_os_error())
}
