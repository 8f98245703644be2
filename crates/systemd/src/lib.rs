//! Asks the running systemd about units, and has systemd start and stop them.
//!
//! The calls are those of org.freedesktop.systemd1(5). They go over `/run/systemd/private`, the
//! socket that systemctl(1) itself uses: systemd makes it before it starts the first unit, so it
//! also answers while the D-Bus daemon is absent, starting or stopping. systemd does not promise
//! this socket to other programs. It speaks plain D-Bus without a bus, and only root may connect.
//! Nothing depends on it but `up --units`, `down --units` and the services that `status` reports.
#![forbid(unsafe_code)]

mod error;
mod wire;

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use wire::{Answer, Call, FIXED, Reader, Writer};

pub use error::Error;
pub use wire::fuzz_messages;

/// The socket of systemctl(1).
const SOCKET: &str = "/run/systemd/private";

/// How long systemd may take for an answer. It answers between two events.
const PATIENCE: Duration = Duration::from_secs(25);

const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";

/// A connection to systemd.
#[derive(Debug)]
pub struct Systemd {
    stream: UnixStream,
    serial: u32,
}

/// A unit as systemd knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its full name, such as `netns-office.service`.
    pub name: String,
    /// `loaded`, `not-found` and others.
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating` and others.
    pub active: String,
    path: String,
}

impl Unit {
    fn into_texts(self) -> [String; 4] {
        [self.name, self.load, self.active, self.path]
    }
}

impl Systemd {
    /// Connects. Needs to be root.
    ///
    /// Errors: if systemd does not run here, or does not want to talk.
    pub fn connect() -> Result<Self, Error> {
        let stream = UnixStream::connect(SOCKET).map_err(Error::Connect)?;
        let mut systemd = Self { stream, serial: 0 };
        systemd.greet().map_err(Error::Talk)?;
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
    pub fn matching(&mut self, patterns: &[&str]) -> Result<Vec<Unit>, Error> {
        let mut body = Writer::default();
        body.strings(&[]);
        body.strings(patterns);
        self.manager("ListUnitsByPatterns", "asas", &body, units)
    }

    /// The units of these names, loaded if they are not.
    pub fn named(&mut self, names: &[&str]) -> Result<Vec<Unit>, Error> {
        let mut body = Writer::default();
        body.strings(names);
        self.manager("ListUnitsByNames", "as", &body, units)
    }

    /// Has a unit started; does not wait for it.
    pub fn start(&mut self, name: &str) -> Result<(), Error> {
        self.job("StartUnit", name)
    }

    /// Has a unit stopped and started again; does not wait for it.
    pub fn restart(&mut self, name: &str) -> Result<(), Error> {
        self.job("RestartUnit", name)
    }

    /// Has a unit stopped; does not wait for it.
    pub fn stop(&mut self, name: &str) -> Result<(), Error> {
        self.job("StopUnit", name)
    }

    fn job(&mut self, member: &str, name: &str) -> Result<(), Error> {
        let mut body = Writer::default();
        body.string(name);
        body.string("replace");
        self.manager(member, "ss", &body, |_| Some(()))
    }

    /// The units that `unit` wants.
    pub fn wants(&mut self, unit: &Unit) -> Result<Vec<String>, Error> {
        self.property(unit, "Unit", "Wants", strings)
    }

    /// The units that require `unit`.
    pub fn required_by(&mut self, unit: &Unit) -> Result<Vec<String>, Error> {
        self.property(unit, "Unit", "RequiredBy", strings)
    }

    /// `NetworkNamespacePath=` of a service; empty if it has none.
    pub fn netns_path(&mut self, unit: &Unit) -> Result<String, Error> {
        self.property(unit, "Service", "NetworkNamespacePath", |reader| {
            reader.string().map(str::to_owned)
        })
    }

    /// The main process of a service; 0 if it has none.
    pub fn main_process(&mut self, unit: &Unit) -> Result<usize, Error> {
        self.property(unit, "Service", "MainPID", |reader| reader.number())
    }

    /// The words of the command that a service starts with.
    pub fn command(&mut self, unit: &Unit) -> Result<Vec<String>, Error> {
        self.property(unit, "Service", "ExecStart", command)
    }

    fn property<T>(
        &mut self,
        unit: &Unit,
        kind: &str,
        name: &str,
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Result<T, Error> {
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
    ) -> Result<T, Error> {
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
    ) -> Result<T, Error> {
        self.serial += 1;
        let message = wire::call(self.serial, call, body);
        self.stream.write_all(&message).map_err(Error::Talk)?;
        loop {
            let message = self.receive().map_err(Error::Talk)?;
            match wire::answer(&message, self.serial) {
                Some(Answer::Other) => {}
                Some(Answer::Error(name, words)) => {
                    let member = call.member.to_owned();
                    return Err(Error::Refused {
                        member,
                        name,
                        words,
                    });
                }
                Some(Answer::Values(body)) => {
                    let value = read(&mut Reader::new(body));
                    return value.ok_or_else(malformed);
                }
                None => return Err(malformed()),
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

fn malformed() -> Error {
    Error::Talk(io::ErrorKind::InvalidData.into())
}

fn strings(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    reader.array(4, |reader| reader.string().map(str::to_owned))
}

/// The words of the first of several commands; what follows its words is not read.
fn command(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let mut first = None;
    reader.array(8, |reader| {
        reader.string()?;
        first = strings(reader);
        None::<()>
    });
    Some(first.unwrap_or_default())
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
