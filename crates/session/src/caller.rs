//! Whoever had root run a command as themselves: what the kernel says of them, and becoming them.
//!
//! Programs that give rights say only who called, and take the rest away: groups, environment,
//! working directory, umask. So the caller leaves a [witness](netnsctl_sys::witness): a child made
//! before, which still has it all. It is the caller's own process and can say what it likes, except
//! for what only the kernel can tell of it in proc(5), which is all that is believed here.
//!
//! The rest (environment, working directory) is looked at after this process has become the caller
//! and can do no more than they.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use netnsctl_base::error::{Context, Error, Object};
use netnsctl_base::files::read_text;
use netnsctl_sys::limits::{raise_limits, take_limits};
use rustix::fs::{CWD, Mode, OFlags, fstatfs, openat, readlinkat};
use rustix::io::Errno;
use rustix::process::{
    Gid, Pid, RawPid, Signal, Uid, WaitOptions, getpid, getppid, kill_process, umask, waitpid,
};
use rustix::thread::{
    self, CapabilitySet, CapabilitySets, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::keyring;

/// `f_type` of proc(5) (statfs(2)).
const PROC_MAGIC: u64 = 0x9fa0;

/// How many processes may stand between the one that the caller started and this one: sudo(8)
/// starts one for a terminal of its own and one for a session.
const GENERATIONS: usize = 4;

/// Who called, as whatever gave us root has it.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// `PKEXEC_UID` of pkexec(1).
    pub pkexec: Option<String>,
    /// `SUDO_UID` of sudo(8).
    pub sudo: Option<String>,
    /// `DOAS_USER` of doas(1).
    pub doas: Option<String>,
}

/// Why nobody is believed to have called. The text is meant for whoever did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No variable is set.
    #[error("nothing says who asks: this is only for pkexec, sudo and doas to start")]
    Nobody,
    /// One of them names nobody.
    #[error("{0} does not say who asks")]
    Unclear(&'static str),
    /// Two of them name different users, so that one is not from who gave us root.
    #[error("PKEXEC_UID, SUDO_UID and DOAS_USER do not name the same user")]
    Disagree,
    /// Root needs none of this.
    #[error("root asks for what root can do without asking")]
    Root,
    /// The witness is not what it has to be.
    #[error("process {pid} is not the caller's witness: {reason}")]
    Witness {
        /// Its process id.
        pid: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Who asks, as all claims agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The user id, never root's.
    user: u32,
    /// Whether pkexec(1) says so, which puts no process in between.
    by_pkexec: bool,
}

impl Claims {
    /// The caller, if all that is set agrees on it. `passwd` is the text of
    /// /etc/passwd, in which a user that doas(1) names must be.
    ///
    /// Whoever gives root sets its own variable anew, but may leave those of others as the caller
    /// had them. Hence all must agree.
    pub fn asker(&self, passwd: &str) -> Result<Asker, Refusal> {
        let number = |text: &Option<String>, variable| {
            let text = text.as_ref()?;
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_number);
            Some(number.ok_or(Refusal::Unclear(variable)))
        };
        let doas = self
            .doas
            .as_ref()
            .map(|name| user_called(name, passwd).ok_or(Refusal::Unclear("DOAS_USER")));
        let said = [
            number(&self.pkexec, "PKEXEC_UID"),
            number(&self.sudo, "SUDO_UID"),
            doas,
        ];
        let said: Vec<u32> = said.into_iter().flatten().collect::<Result<_, _>>()?;
        match said.split_first() {
            None => Err(Refusal::Nobody),
            Some((first, rest)) if rest.iter().any(|other| other != first) => {
                Err(Refusal::Disagree)
            }
            Some((0, _)) => Err(Refusal::Root),
            Some((first, _)) => Ok(Asker {
                user: *first,
                by_pkexec: self.pkexec.is_some(),
            }),
        }
    }
}

/// The id of a user in the text of /etc/passwd (passwd(5)). Other databases are not asked: that
/// would run code of theirs as root.
fn user_called(name: &str, passwd: &str) -> Option<u32> {
    let mut ids = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        let id = fields.nth(1).filter(|_| is_it)?;
        id.parse().ok()
    });
    ids.next().filter(|_| !name.is_empty())
}

/// The caller, with what the kernel says of them.
#[derive(Debug)]
pub struct Caller {
    /// `/proc/PID` of the witness: not that of a later process with its id.
    folder: OwnedFd,
    pid: Pid,
    /// Whether the witness is a child of this process.
    is_child: bool,
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
    umask: Mode,
}

impl Caller {
    /// The user `asker`, of whom the process `pid` is a witness.
    ///
    /// That process must be a child of this one, which pkexec(1) leaves the process that the
    /// caller started. With sudo(8) and doas(1) it may also be a child of one of those that stand
    /// between this process and the caller's. Nobody but the caller can have made it then. All of
    /// its user ids must be theirs, and its group ids one: a program with set-user-ID or
    /// set-group-ID is not the caller. Must be called as root.
    ///
    /// Errors: [`Refusal::Witness`]; what /proc lacks is a refusal too.
    pub fn of_witness(pid: u32, asker: Asker) -> Result<Self, Refusal> {
        let refuse = |reason| Refusal::Witness { pid, reason };
        let folder = open_process(pid).ok_or(refuse("there is no such process"))?;
        let status = Status::of(&folder).ok_or(refuse("its status cannot be read"))?;
        let parent = status.parent;
        let is_child = parent == own_pid();
        if !(is_child || !asker.by_pkexec && givers().contains(&parent)) {
            return Err(refuse("the caller did not start it"));
        }
        if status.users != [asker.user; 4] {
            return Err(refuse("it belongs to somebody else"));
        }
        if status.groups_of_process != [status.groups_of_process[0]; 4] {
            return Err(refuse("it has the rights of another group"));
        }
        let raw = RawPid::try_from(pid).ok().and_then(Pid::from_raw);
        Ok(Self {
            folder,
            pid: raw.ok_or(refuse("there is no such process"))?,
            is_child,
            user: Uid::from_raw(asker.user),
            group: Gid::from_raw(status.groups_of_process[0]),
            groups: status.groups.into_iter().map(Gid::from_raw).collect(),
            umask: Mode::from_raw_mode(status.umask),
        })
    }

    /// Makes this process the caller's for good: groups, user, keys, limits, umask, and no
    /// capability in any set that the caller could use. It must have a single thread and no
    /// descriptor that the caller should not have.
    ///
    /// Needs CAP_SETUID and CAP_SETGID; limits that are higher than the hard limits of this process
    /// cannot be had.
    /// Errors: the step that the kernel refused, upon which nothing may be run.
    pub fn become_caller(&self) -> Result<(), Error> {
        let whose = || Object::Other(format!("user {}", self.user.as_raw()));
        thread::clear_ambient_capability_set().context("give up capabilities for", whose())?;
        set_thread_groups(&self.groups).context("take the groups of", whose())?;
        set_thread_res_gid(self.group, self.group, self.group)
            .context("take the group of", whose())?;
        set_thread_res_uid(self.user, self.user, self.user).context("become", whose())?;
        let none = CapabilitySet::empty();
        let sets = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        thread::set_capabilities(None, sets).context("give up capabilities for", whose())?;
        keyring::leave_keys_of_others(self.user)?;
        // As the caller, who may look at what is theirs. Lower limits than those of this process
        // need no right, so that no limit can be left out.
        take_limits(self.pid.as_raw_nonzero().get().unsigned_abs())
            .context("take the limits of", whose())?;
        // What was read just now was that of the witness only if it is still there.
        if Status::of(&self.folder).is_none() {
            let gone = io::Error::from(Errno::SRCH);
            return Err(gone).context("look at", Object::other("the caller's witness"));
        }
        umask(self.umask);
        Ok(())
    }

    /// The caller's environment (`environ` of proc(5)). To be read as the caller.
    pub fn environment(&self) -> Result<Vec<(OsString, OsString)>, Error> {
        let bytes = open_in(&self.folder, "environ")
            .and_then(|file| {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut std::fs::File::from(file), &mut bytes)?;
                Ok(bytes)
            })
            .context("read", Object::other("the caller's environment"))?;
        Ok(variables(&bytes))
    }

    /// The path of the caller's working directory; none if it has none any more. To be read as
    /// the caller.
    pub fn working_directory(&self) -> Option<PathBuf> {
        let target = readlinkat(&self.folder, "cwd", Vec::new()).ok()?;
        let path = PathBuf::from(OsString::from_vec(target.into_bytes()));
        let is_gone = path.as_os_str().as_bytes().ends_with(b" (deleted)");
        (path.is_absolute() && !is_gone).then_some(path)
    }

    /// Ends the witness. To be called as the caller, who may end what is theirs.
    pub fn dismiss(self) {
        // Still the same process: one that is not waited for keeps its id.
        if self.is_child {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = waitpid(Some(self.pid), WaitOptions::empty());
        } else if Status::of(&self.folder).is_some() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// Gives this process the umask 022 and the highest limits it can have, so that those of the caller
/// do not spoil what it makes for all who enter. [`Caller::become_caller`] takes the caller's again.
pub fn reset_limits_and_umask() {
    umask(Mode::from_raw_mode(0o022));
    let most = read_number("/proc/sys/fs/nr_open");
    raise_limits(most.unwrap_or_default());
}

fn read_number(path: &str) -> Option<u64> {
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    read_text(&file).ok()?.trim().parse().ok()
}

/// The processes between this one and the caller's: root's, from our parent upwards.
fn givers() -> Vec<u32> {
    let mut givers = Vec::new();
    let mut next = getppid().map_or(0, |parent| parent.as_raw_nonzero().get().unsigned_abs());
    for _ in 0..GENERATIONS {
        let status = open_process(next).and_then(|folder| Status::of(&folder));
        // The first that root does not run is the caller's own.
        let Some(status) = status.filter(|status| next > 1 && status.users[1] == 0) else {
            break;
        };
        givers.push(next);
        next = status.parent;
    }
    givers
}

fn own_pid() -> u32 {
    getpid().as_raw_nonzero().get().unsigned_abs()
}

/// `/proc/PID`, if that is proc(5) and the process is there.
fn open_process(pid: u32) -> Option<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let proc = openat(CWD, "/proc", flags, Mode::empty()).ok()?;
    let is_proc = u64::try_from(fstatfs(&proc).ok()?.f_type) == Ok(PROC_MAGIC);
    // One of another pid namespace would speak of others.
    let own = readlinkat(&proc, "self", Vec::new()).ok()?;
    if !is_proc || own.to_bytes() != own_pid().to_string().as_bytes() {
        return None;
    }
    openat(&proc, pid.to_string(), flags, Mode::empty()).ok()
}

fn open_in(folder: &OwnedFd, file: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, file, flags, Mode::empty())?)
}

/// `KEY=value` after `KEY=value`, each with a NUL behind it. What is none is left out.
fn variables(bytes: &[u8]) -> Vec<(OsString, OsString)> {
    let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let mut variables = Vec::new();
    for entry in bytes.split(|byte| *byte == 0) {
        // A name is not empty; getenv(3) finds the first of several.
        let Some(at) = entry
            .iter()
            .position(|byte| *byte == b'=')
            .filter(|at| *at > 0)
        else {
            continue;
        };
        let key = own(&entry[..at]);
        if !variables.iter().any(|(known, _)| *known == key) {
            variables.push((key, own(&entry[at + 1..])));
        }
    }
    variables
}

/// `/proc/PID/status` as far as it is needed.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    parent: u32,
    /// Real, effective, saved, file system.
    users: [u32; 4],
    groups_of_process: [u32; 4],
    groups: Vec<u32>,
    umask: u32,
}

impl Status {
    /// None for a process that has ended, also if it was not waited for.
    fn of(folder: &OwnedFd) -> Option<Self> {
        Self::parse(&read_text(&open_in(folder, "status").ok()?).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name of the process, in the first line, has its newlines escaped by the kernel.
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"))
        };
        let numbers = |name| -> Option<Vec<u32>> {
            let words = field(name)?.split_ascii_whitespace();
            words.map(|word| word.parse().ok()).collect()
        };
        if field("State")?.starts_with(['Z', 'X']) {
            return None;
        }
        Some(Self {
            parent: *numbers("PPid")?.first()?,
            users: numbers("Uid")?.try_into().ok()?,
            groups_of_process: numbers("Gid")?.try_into().ok()?,
            groups: numbers("Groups")?,
            umask: u32::from_str_radix(field("Umask")?, 8).ok()?,
        })
    }
}

/// Entry for fuzzing: any text as `status` of proc(5). Gives its numbers: the parent, the umask, four
/// users, four groups, and all further groups.
#[doc(hidden)]
pub fn fuzz_status(text: &str) -> Option<Vec<u32>> {
    let status = Status::parse(text)?;
    let (users, groups) = (status.users, status.groups_of_process);
    Some(
        [
            &[status.parent, status.umask],
            &users[..],
            &groups,
            &status.groups,
        ]
        .concat(),
    )
}

/// Entry for fuzzing: any bytes as `environ` of proc(5).
#[doc(hidden)]
pub fn fuzz_environment(bytes: &[u8]) -> Vec<(OsString, OsString)> {
    variables(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n\
                          bob:x:1001:1001::/:/bin/sh\nalice:x:0:0::/:/bin/sh\n:x:5:5::/:\n";

    fn claims(pkexec: &str, sudo: &str, doas: &str) -> Claims {
        let some = |text: &str| (text != "-").then(|| text.to_owned());
        Claims {
            pkexec: some(pkexec),
            sudo: some(sudo),
            doas: some(doas),
        }
    }

    #[test]
    fn all_that_is_said_of_the_caller_has_to_agree() {
        let cases = [
            ("1000", "-", "-", Ok(1000)),
            ("-", "1000", "-", Ok(1000)),
            ("-", "-", "alice", Ok(1000)),
            // pkexec sets both since polkit 125.
            ("1000", "1000", "-", Ok(1000)),
            ("1000", "1000", "alice", Ok(1000)),
            ("-", "-", "-", Err(Refusal::Nobody)),
            ("1000", "1001", "-", Err(Refusal::Disagree)),
            ("-", "1001", "alice", Err(Refusal::Disagree)),
            ("1001", "-", "alice", Err(Refusal::Disagree)),
            ("0", "-", "-", Err(Refusal::Root)),
            ("-", "-", "root", Err(Refusal::Root)),
            ("1000", "0", "-", Err(Refusal::Disagree)),
            ("", "-", "-", Err(Refusal::Unclear("PKEXEC_UID"))),
            ("+1000", "-", "-", Err(Refusal::Unclear("PKEXEC_UID"))),
            ("1000 ", "-", "-", Err(Refusal::Unclear("PKEXEC_UID"))),
            ("-", "4294967296", "-", Err(Refusal::Unclear("SUDO_UID"))),
            ("-", "-", "nobody-there", Err(Refusal::Unclear("DOAS_USER"))),
            ("-", "-", "", Err(Refusal::Unclear("DOAS_USER"))),
        ];
        for (pkexec, sudo, doas, wanted) in cases {
            let asker = claims(pkexec, sudo, doas).asker(PASSWD);
            let said = asker.map(|asker| asker.user);
            assert_eq!(said, wanted, "{pkexec} {sudo} {doas}");
        }
    }

    #[test]
    fn a_status_is_read_whatever_the_process_is_called() {
        let text = "Name:\tx\\nUid:\t0\t0\t0\t0\nUmask:\t0027\nState:\tS (sleeping)\nPid:\t7\nPPid:\t6\n\
                    TracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nGid:\t100\t8\t8\t8\n\
                    Groups:\t4 24 1000 \nNSpid:\t7\n";
        let wanted = Status {
            parent: 6,
            users: [1000; 4],
            groups_of_process: [100, 8, 8, 8],
            groups: vec![4, 24, 1000],
            umask: 0o027,
        };
        assert_eq!(Status::parse(text), Some(wanted));
        for (good, bad) in [
            ("S (sl", "Z (zo"),
            ("PPid", "Ppid"),
            ("\t1000\n", "\n"),
            ("0027", "x"),
        ] {
            assert_eq!(Status::parse(&text.replacen(good, bad, 1)), None, "{bad}");
        }
    }

    #[test]
    fn an_environment_is_read_as_getenv_would() {
        let read = variables(b"A=1\0B=\0=x\0C\0A=2\0D=a=b\nc\0\xff=\xfe\0");
        let show =
            |(key, value): &(OsString, OsString)| [key.as_bytes(), b"=", value.as_bytes()].concat();
        let shown: Vec<_> = read.iter().map(show).collect();
        let wanted: [&[u8]; 4] = [b"A=1", b"B=", b"D=a=b\nc", b"\xff=\xfe"];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn this_process_is_nobodys_witness() {
        let pid = own_pid();
        let claims = claims("1000", "-", "-");
        let asker = claims.asker(PASSWD).unwrap();
        let refusal = Caller::of_witness(pid, asker).unwrap_err();
        let reason = "the caller did not start it";
        assert_eq!(refusal, Refusal::Witness { pid, reason });
    }
}
