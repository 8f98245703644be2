//! Asks the running systemd about units, and has it start and stop them.
//!
//! Over its own socket, which is root's: it is there as long as systemd is, and needs no bus
//! (org.freedesktop.systemd1(5) has the calls).

mod wire;

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use netnsctl_sys::errno::words;

use wire::{Answer, Call, FIXED, Reader, Writer};

use crate::output::Failure;

/// systemd's own socket.
const SOCKET: &str = "/run/systemd/private";

/// How long systemd may take for an answer. It answers between two events.
const PATIENCE: Duration = Duration::from_secs(25);

const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";

/// A connection to systemd.
#[derive(Debug)]
pub(crate) struct Systemd {
    stream: UnixStream,
    serial: u32,
}

/// A unit as systemd knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) name: String,
    /// `loaded`, `not-found` and others.
    pub(crate) load: String,
    /// `active`, `inactive`, `failed`, `activating` and others.
    pub(crate) active: String,
    path: String,
}

impl Systemd {
    /// Connects. Needs to be root.
    ///
    /// Errors: if systemd does not run here, or does not want to talk.
    pub(crate) fn connect() -> Result<Self, Failure> {
        let stream = UnixStream::connect(SOCKET).map_err(|error| {
            let words = netnsctl_sys::errno::Errno::of(&error);
            Failure::failed(format!("cannot connect to systemd at {SOCKET}: {words}"))
                .hint("is systemd the init of this machine, and are you root?")
        })?;
        let mut systemd = Self { stream, serial: 0 };
        systemd.greet().map_err(trouble)?;
        Ok(systemd)
    }

    /// Says who we are, which the kernel vouches for ("Authentication Protocol" of D-Bus).
    fn greet(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.stream.set_write_timeout(Some(PATIENCE))?;
        let own: String = rustix::process::geteuid().as_raw().to_string();
        let hex: String = own.bytes().map(|byte| format!("{byte:02x}")).collect();
        write!(self.stream, "\0AUTH EXTERNAL {hex}\r\n")?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            line.extend(byte);
            if line.len() > 1024 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        if !line.starts_with(b"OK ") {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.stream.write_all(b"BEGIN\r\n")
    }

    /// The units that are loaded and whose names match one of `patterns` (glob(7)).
    pub(crate) fn matching(&mut self, patterns: &[&str]) -> Result<Vec<Unit>, Failure> {
        let mut body = Writer::default();
        body.strings(&[]);
        body.strings(patterns);
        self.manager("ListUnitsByPatterns", "asas", &body, units)
    }

    /// The units of these names, loaded if they are not.
    pub(crate) fn named(&mut self, names: &[&str]) -> Result<Vec<Unit>, Failure> {
        let mut body = Writer::default();
        body.strings(names);
        self.manager("ListUnitsByNames", "as", &body, units)
    }

    /// Has a unit started; does not wait for it.
    pub(crate) fn start(&mut self, name: &str) -> Result<(), Failure> {
        self.job("StartUnit", name)
    }

    /// Has a unit stopped and started again; does not wait for it.
    pub(crate) fn restart(&mut self, name: &str) -> Result<(), Failure> {
        self.job("RestartUnit", name)
    }

    /// Has a unit stopped; does not wait for it.
    pub(crate) fn stop(&mut self, name: &str) -> Result<(), Failure> {
        self.job("StopUnit", name)
    }

    fn job(&mut self, member: &str, name: &str) -> Result<(), Failure> {
        let mut body = Writer::default();
        body.string(name);
        body.string("replace");
        self.manager(member, "ss", &body, |_| Some(()))
    }

    /// The units that `unit` wants.
    pub(crate) fn wants(&mut self, unit: &Unit) -> Result<Vec<String>, Failure> {
        self.property(unit, "Unit", "Wants", strings)
    }

    /// The units that require `unit`.
    pub(crate) fn required_by(&mut self, unit: &Unit) -> Result<Vec<String>, Failure> {
        self.property(unit, "Unit", "RequiredBy", strings)
    }

    /// `NetworkNamespacePath=` of a service; empty if it has none.
    pub(crate) fn netns_path(&mut self, unit: &Unit) -> Result<String, Failure> {
        self.property(unit, "Service", "NetworkNamespacePath", |reader| {
            reader.string().map(str::to_owned)
        })
    }

    /// The main process of a service; 0 if it has none.
    pub(crate) fn main_process(&mut self, unit: &Unit) -> Result<usize, Failure> {
        self.property(unit, "Service", "MainPID", |reader| reader.number())
    }

    /// The words of the command that a service starts with.
    pub(crate) fn command(&mut self, unit: &Unit) -> Result<Vec<String>, Failure> {
        let words = |reader: &mut Reader<'_>| {
            reader.string()?;
            strings(reader)
        };
        self.property(unit, "Service", "ExecStart", |reader| {
            // Of the first command; what follows its words is not read.
            let mut first = None;
            reader.array(8, |reader| {
                first = words(reader);
                None::<()>
            });
            Some(first.unwrap_or_default())
        })
    }

    fn property<T>(
        &mut self,
        unit: &Unit,
        kind: &str,
        name: &str,
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        let mut body = Writer::default();
        body.string(&format!("org.freedesktop.systemd1.{kind}"));
        body.string(name);
        let call = Call {
            path: &unit.path,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            signature: "ss",
        };
        self.call(call, &body, |reader| {
            reader.signature()?;
            read(reader)
        })
    }

    fn manager<T>(
        &mut self,
        member: &str,
        signature: &str,
        body: &Writer,
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        let call = Call {
            path: MANAGER,
            interface: MANAGER_INTERFACE,
            member,
            signature,
        };
        self.call(call, body, read)
    }

    fn call<T>(
        &mut self,
        call: Call<'_>,
        body: &Writer,
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        self.serial += 1;
        let message = wire::call(self.serial, call, body);
        self.stream.write_all(&message).map_err(trouble)?;
        loop {
            let message = self.receive().map_err(trouble)?;
            match wire::answer(&message, self.serial) {
                Some(Answer::Other) => {}
                Some(Answer::Error(name, words)) => {
                    let member = call.member;
                    return Err(Failure::failed(format!(
                        "systemd refuses {member}: {words:?} ({name:?})"
                    )));
                }
                Some(Answer::Values(body)) => {
                    let value = read(&mut Reader::new(body));
                    return value.ok_or_else(|| trouble(io::ErrorKind::InvalidData.into()));
                }
                None => return Err(trouble(io::ErrorKind::InvalidData.into())),
            }
        }
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut fixed = [0; FIXED];
        self.stream.read_exact(&mut fixed)?;
        let length = wire::length(&fixed).ok_or(io::ErrorKind::InvalidData)?;
        let mut message = fixed.to_vec();
        message.resize(length, 0);
        self.stream.read_exact(&mut message[FIXED..])?;
        Ok(message)
    }
}

fn trouble(error: io::Error) -> Failure {
    Failure::failed(format!(
        "cannot talk to systemd at {SOCKET}: {}",
        words(&error)
    ))
}

fn strings(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    reader.array(4, |reader| reader.string().map(str::to_owned))
}

/// A list of units as the manager gives it.
fn units(reader: &mut Reader<'_>) -> Option<Vec<Unit>> {
    reader.array(8, |reader| {
        let name = reader.string()?.to_owned();
        reader.string()?;
        let load = reader.string()?.to_owned();
        let active = reader.string()?.to_owned();
        // Its finer state, and the unit it follows.
        reader.string()?;
        reader.string()?;
        let path = reader.string()?.to_owned();
        // Its job: a number, a kind and a path.
        reader.number()?;
        reader.string()?;
        reader.string()?;
        Some(Unit {
            name,
            load,
            active,
            path,
        })
    })
}
