//! The system calls that the data path may make, as a filter of the calling thread.
//!
//! An allow list. Most of it is allowed whatever the arguments, which a kernel since 5.11 decides
//! by one look at a bitmap; arguments are looked at where a call can do more than carry bytes.
//! What is not on the list fails with EPERM and does not kill: a newer C library that tries
//! another call first can fall back, and a dead forwarder would lose its connections. A call by the
//! convention of another architecture kills, as the numbers mean something else there; x32 (x86-64
//! with other numbers) is refused like all that is not listed.
//!
//! Not on the list, among all the rest: opening and changing files, execve and new threads or
//! processes, namespaces and mounts, ptrace, listening and binding. Names of calls are those of
//! syscalls(2). Sources: seccomp(2), Documentation/userspace-api/seccomp_filter.rst.

use libc::{c_int, c_long};
use rustix::net::AddressFamily;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Calls allowed with any arguments.
const PLAIN: &[c_long] = &[
    // Waiting and time.
    libc::SYS_clock_gettime,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    // Sockets. Options are those of sockets we have or may make, set without a capability.
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // Bytes between descriptors that are open; log lines go to stderr by write.
    libc::SYS_close,
    libc::SYS_pipe2,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_splice,
    libc::SYS_write,
    libc::SYS_writev,
    // Memory, besides `mmap` and `mprotect`. An allocator counts the processors once.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_sched_getaffinity,
    // Locks, signals, the end of a thread and of the process.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
];

/// The bits of a socket's type that are the type, and not flags (SOCK_TYPE_MASK of
/// include/linux/net.h).
const SOCK_TYPE_MASK: u64 = 0xf;

/// The requests of `ioctl`: non-blocking or not, bytes waiting, a link's index by its name, and
/// whether stderr is a terminal.
#[allow(clippy::unnecessary_cast, reason = "musl has another type for them")]
const REQUESTS: [u64; 4] = [
    libc::FIONBIO as u64,
    libc::FIONREAD as u64,
    libc::SIOCGIFINDEX as u64,
    libc::TCGETS as u64,
];

/// Restricts the calling thread to the calls of the list, with new sockets of `family` only. It
/// cannot be undone, and threads made earlier are not affected.
///
/// Needs no capability once no_new_privs is set. Errors: EINVAL or ENOSYS where the kernel has no
/// filters, EPERM where a filter that is in force already forbids it, and an architecture that the
/// filter's compiler does not know.
pub(crate) fn install(family: AddressFamily) -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&compile(family)?)
}

/// The filter as the kernel takes it.
fn compile(family: AddressFamily) -> Result<BpfProgram, BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let plain = PLAIN.iter().map(|&call| (call, Vec::new()));
    let rules = plain.chain(checked(family)?).collect();
    SeccompFilter::new(rules, refusal, SeccompAction::Allow, architecture)?.try_into()
}

/// Calls whose arguments are looked at.
fn checked(family: AddressFamily) -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let flags = [
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_GETFL,
        libc::F_GETPIPE_SZ,
        libc::F_SETFD,
        libc::F_SETFL,
        libc::F_SETPIPE_SZ,
    ];
    let process = rustix::process::getpid().as_raw_pid();
    let thread = rustix::thread::gettid().as_raw_pid();
    Ok(vec![
        (libc::SYS_fcntl, one_of(1, &flags.map(number))?),
        (libc::SYS_ioctl, one_of(1, &REQUESTS)?),
        (libc::SYS_mmap, vec![anonymous_data()?]),
        (
            libc::SYS_mprotect,
            vec![SeccompRule::new(vec![no_code()?])?],
        ),
        (libc::SYS_socket, sockets(family)?),
        // abort(3) and raise(3), by the C libraries there are.
        (libc::SYS_tgkill, one_of(0, &[number(process)])?),
        (libc::SYS_tkill, one_of(0, &[number(thread)])?),
    ])
}

/// The pattern of an argument that is a C int and not negative.
fn number(value: c_int) -> u64 {
    value.unsigned_abs().into()
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    let operator = SeccompCmpOp::MaskedEq(mask);
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// One rule for each value that `argument` may have.
fn one_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |&value| SeccompRule::new(vec![equal(argument, value)?]);
    values.iter().map(rule).collect()
}

/// Memory that cannot be executed; the argument has one place in `mmap` and `mprotect`.
fn no_code() -> Result<SeccompCondition, BackendError> {
    masked(2, number(libc::PROT_EXEC), 0)
}

/// New memory that is of no file and cannot be executed.
fn anonymous_data() -> Result<SeccompRule, BackendError> {
    let anonymous = number(libc::MAP_ANONYMOUS);
    SeccompRule::new(vec![no_code()?, masked(3, anonymous, anonymous)?])
}

/// Sockets for targets: TCP and UDP over `family`, or streams where that is unix(7). So no
/// netlink, no raw or packet sockets, and no protocol that is seldom used.
fn sockets(family: AddressFamily) -> Result<Vec<SeccompRule>, BackendError> {
    let kinds: &[(c_int, c_int)] = match family {
        AddressFamily::UNIX => &[(libc::SOCK_STREAM, 0)],
        _ => &[
            (libc::SOCK_STREAM, 0),
            (libc::SOCK_STREAM, libc::IPPROTO_TCP),
            (libc::SOCK_DGRAM, 0),
            (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
        ],
    };
    let rule = |&(kind, protocol)| {
        SeccompRule::new(vec![
            equal(0, family.as_raw().into())?,
            masked(1, SOCK_TYPE_MASK, number(kind))?,
            equal(2, number(protocol))?,
        ])
    };
    kinds.iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();

    /// A call as the kernel shows it to a filter (struct seccomp_data).
    #[derive(Clone, Copy)]
    struct Call {
        number: u32,
        architecture: u32,
        arguments: [u64; 6],
    }

    fn call(number: c_long, arguments: &[u64]) -> Call {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        Call {
            number: number.try_into().unwrap(),
            architecture: own_architecture(),
            arguments: all,
        }
    }

    /// AUDIT_ARCH_… of include/uapi/linux/audit.h: the ELF machine, 64 bits, little-endian.
    fn own_architecture() -> u32 {
        let machine = match std::env::consts::ARCH {
            "x86_64" => 62,
            "aarch64" => 183,
            "riscv64" => 243,
            other => panic!("no filter for {other}"),
        };
        machine | 0xc000_0000
    }

    /// What the kernel would make of `call`: the instructions of bpf(4) that a filter has.
    fn answer(program: &BpfProgram, call: Call) -> u32 {
        let word = |offset: u32| match offset {
            0 => call.number,
            4 => call.architecture,
            _ => {
                let at = offset as usize - 16;
                let bytes = call.arguments[at / 8].to_le_bytes();
                u32::from_le_bytes(bytes[at % 8..][..4].try_into().unwrap())
            }
        };
        let (mut at, mut value) = (0, 0);
        loop {
            let instruction = &program[at];
            let operand = instruction.k;
            let branch = |condition: bool| {
                usize::from(if condition {
                    instruction.jt
                } else {
                    instruction.jf
                })
            };
            at += 1;
            match instruction.code {
                0x05 => at += operand as usize,
                0x06 => return operand,
                0x15 => at += branch(value == operand),
                0x20 => value = word(operand),
                0x25 => at += branch(value > operand),
                0x35 => at += branch(value >= operand),
                0x54 => value &= operand,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    fn inet(call: Call) -> u32 {
        answer(&compile(AddressFamily::INET).unwrap(), call)
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        let program = compile(AddressFamily::INET).unwrap();
        let plain: BTreeSet<_> = PLAIN.iter().copied().collect();
        let checked = checked(AddressFamily::INET).unwrap();
        let checked: BTreeSet<_> = checked.into_iter().map(|(call, _)| call).collect();
        assert_eq!(plain.len(), PLAIN.len(), "something is listed twice");
        assert!(plain.is_disjoint(&checked));
        for number in 0..2000 {
            for arguments in [[0; 6], [u64::MAX; 6]] {
                let answer = answer(&program, call(number, &arguments));
                if plain.contains(&number) {
                    assert_eq!(answer, ALLOW, "call {number}");
                } else if !checked.contains(&number) {
                    assert_eq!(answer, REFUSE, "call {number}");
                }
            }
        }
    }

    #[test]
    fn calls_that_change_the_machine_are_not_listed() {
        for number in [
            libc::SYS_bind,
            libc::SYS_bpf,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_io_uring_setup,
            libc::SYS_keyctl,
            libc::SYS_kill,
            libc::SYS_listen,
            libc::SYS_memfd_create,
            libc::SYS_mount,
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_perf_event_open,
            libc::SYS_pidfd_getfd,
            libc::SYS_prctl,
            libc::SYS_process_vm_readv,
            libc::SYS_ptrace,
            libc::SYS_seccomp,
            libc::SYS_setns,
            libc::SYS_setuid,
            libc::SYS_unlinkat,
            libc::SYS_unshare,
            libc::SYS_userfaultfd,
        ] {
            assert_eq!(inet(call(number, &[])), REFUSE, "call {number}");
        }
    }

    #[test]
    fn a_foreign_architecture_kills_and_foreign_numbers_are_refused() {
        let mut foreign = call(libc::SYS_read, &[]);
        foreign.architecture ^= 0x4000_0000;
        assert_eq!(inet(foreign), libc::SECCOMP_RET_KILL_PROCESS);
        // __X32_SYSCALL_BIT
        assert_eq!(inet(call(libc::SYS_read | 0x4000_0000, &[])), REFUSE);
    }

    #[test]
    fn sockets_are_those_that_reach_the_target() {
        let own = [
            AddressFamily::INET,
            AddressFamily::INET6,
            AddressFamily::UNIX,
        ];
        for family in own {
            let program = compile(family).unwrap();
            let answer = |domain: u64, kind: u64, protocol: u64| {
                answer(&program, call(libc::SYS_socket, &[domain, kind, protocol]))
            };
            let (stream, datagram) = (number(libc::SOCK_STREAM), number(libc::SOCK_DGRAM));
            let own = u64::from(family.as_raw());
            let flags = number(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
            for domain in 0..64 {
                for kind in 0..16 {
                    for protocol in [0, 1, 6, 17, 132, 255, 262] {
                        let fits = match (kind, protocol) {
                            (kind, 0) if kind == stream => true,
                            _ if family == AddressFamily::UNIX => false,
                            (kind, 6) => kind == stream,
                            (kind, 0 | 17) => kind == datagram,
                            _ => false,
                        };
                        let expected = if fits && domain == own { ALLOW } else { REFUSE };
                        let case = format!("{family:?} {domain} {kind} {protocol}");
                        assert_eq!(answer(domain, kind, protocol), expected, "{case}");
                        assert_eq!(answer(domain, kind | flags, protocol), expected, "{case}");
                    }
                }
            }
        }
    }

    #[test]
    fn memory_is_never_code() {
        let (data, code) = (
            number(libc::PROT_READ | libc::PROT_WRITE),
            number(libc::PROT_READ | libc::PROT_EXEC),
        );
        let private = number(libc::MAP_PRIVATE);
        let anonymous = private | number(libc::MAP_ANONYMOUS);
        let map = |protection, flags| inet(call(libc::SYS_mmap, &[0, 1, protection, flags]));
        assert_eq!(map(data, anonymous), ALLOW);
        assert_eq!(map(0, anonymous | number(libc::MAP_NORESERVE)), ALLOW);
        assert_eq!(map(code, anonymous), REFUSE);
        assert_eq!(map(data, private), REFUSE);
        let protect = |protection| inet(call(libc::SYS_mprotect, &[0, 1, protection]));
        assert_eq!(protect(data), ALLOW);
        assert_eq!(protect(code), REFUSE);
    }

    #[test]
    fn signals_go_to_oneself() {
        let process = number(rustix::process::getpid().as_raw_pid());
        let thread = number(rustix::thread::gettid().as_raw_pid());
        let abort = number(libc::SIGABRT);
        assert_eq!(
            inet(call(libc::SYS_tgkill, &[process, thread, abort])),
            ALLOW
        );
        assert_eq!(inet(call(libc::SYS_tgkill, &[1, 1, abort])), REFUSE);
        assert_eq!(inet(call(libc::SYS_tkill, &[thread, abort])), ALLOW);
        assert_eq!(inet(call(libc::SYS_tkill, &[1, abort])), REFUSE);
    }

    #[test]
    fn requests_on_descriptors_are_the_known_ones() {
        let control = |command| inet(call(libc::SYS_fcntl, &[0, number(command)]));
        assert_eq!(control(libc::F_SETPIPE_SZ), ALLOW);
        assert_eq!(control(libc::F_GETFD), ALLOW);
        assert_eq!(control(libc::F_SETOWN), REFUSE);
        assert_eq!(control(libc::F_SETLEASE), REFUSE);
        for request in REQUESTS {
            assert_eq!(inet(call(libc::SYS_ioctl, &[0, request])), ALLOW);
        }
        // TIOCSTI, TIOCSWINSZ, SIOCGIFCONF and SIOCGIFHWADDR.
        for request in [0x5412, 0x5414, 0x8912, 0x8927] {
            assert_eq!(inet(call(libc::SYS_ioctl, &[0, request])), REFUSE);
        }
    }
}
