//! The proof of a view: starts the look from inside, and watches meanwhile where its question goes.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use netnsctl_base::error::{Context, Object};
use netnsctl_base::netns::within;
use netnsctl_kernel::names;
use netnsctl_kernel::observe::raise_descriptor_limit;
use netnsctl_kernel::place;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_probe::question::{Seen, Watch};
use netnsctl_sys::errno::Errno;

use super::Check;
use super::inside::{Answered, Inside};
use super::judge;
use super::places::{Place, Places};
use super::question::{self, BELOW, Evidence, Outcome};
use super::unanswered::{Elsewhere, Facts};
use crate::output::{Exit, Failure};

/// How long the look may take before the question: each of its daemons has three seconds to let it
/// in, and as many to answer.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);

/// How long the question may take. The C library gives each name server five seconds.
const QUESTION_PATIENCE: Duration = Duration::from_secs(6);

/// Bytes that the look may write.
const LOOK_MOST: usize = 4 << 20;

pub(super) fn examine(name: &NetnsName) -> Result<Vec<Check>, Failure> {
    let home = place::home()?;
    let own = names::open(name)?;
    let (places, closed) = Places::all(home)?;
    // Each namespace takes a socket.
    raise_descriptor_limit();
    let label = format!("{:016x}", RandomState::new().build_hasher().finish());
    let mut watch = Watch::new(&[&label, BELOW[0], BELOW[1]]);
    let mut unwatched = closed;
    let here = watch.post(&own, name.as_str());
    let mut elsewhere = Vec::new();
    for place in places.0.iter().filter(|place| place.netns != own) {
        let name = place
            .name
            .as_ref()
            .map_or(NetnsRef::HOME, NetnsName::as_str);
        match watch.post(&place.netns, name) {
            Ok(at) => elsewhere.push((place, at)),
            Err(error) => unwatched.push((place.called.clone(), error.to_string())),
        }
    }
    // The dot at its end keeps search lists away.
    let mut look = Look::start(name, &format!("{label}.{}.", BELOW.join(".")))?;
    let inside: Inside = look.first(&mut watch)?;
    let outcome = look.second(&mut watch)?;
    let seen = watch.seen()?;
    let at = |at: usize| seen.get(at).cloned().unwrap_or_default();
    let evidence = Evidence {
        outcome,
        here: here.map(at).map_err(|error| error.to_string()),
        elsewhere: elsewhere
            .into_iter()
            .map(|(place, post)| {
                let seen = at(post);
                Elsewhere {
                    called: place.called.clone(),
                    name: place.name.clone(),
                    facts: facts(place, &seen),
                    seen,
                }
            })
            .collect(),
        unwatched,
    };
    let mut checks = judge::judge(name, &inside, &places);
    checks.extend(question::judge(&evidence));
    Ok(checks)
}

/// What a namespace would do with packets; or why that cannot be found out.
fn facts(place: &Place, seen: &Seen) -> Result<Facts, String> {
    let name = place.name.as_ref();
    let name = name.map_or(NetnsRef::HOME, NetnsName::as_str);
    within(&place.netns, name, || Facts::of(seen, name))
        .flatten()
        .map_err(|error| error.to_string())
}

/// The process that looks from inside; killed when dropped.
struct Look {
    child: Child,
    stdout: ChildStdout,
    bytes: Vec<u8>,
}

/// What the process says next.
enum Said {
    Line(String),
    Ended,
    Late,
}

impl Look {
    #[expect(
        clippy::disallowed_methods,
        reason = "this very program, as only a process of its own can enter a view"
    )]
    fn start(name: &NetnsName, question: &str) -> Result<Self, Failure> {
        let mut child = Command::new("/proc/self/exe")
            .args(["doctor", "--inside", question, "--", name.as_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("start", Object::task("the process that looks from inside"))?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| Failure::failed("the look from inside has no stdout"))?;
        let bytes = Vec::new();
        Ok(Self {
            child,
            stdout,
            bytes,
        })
    }

    /// What it sees. If it fails it has said why on stderr.
    fn first(&mut self, watch: &mut Watch) -> Result<Inside, Failure> {
        match self.next(watch, LOOK_PATIENCE)? {
            Said::Line(line) => serde_json::from_str(&line).map_err(|error| {
                Failure::failed(format!("cannot read what was seen inside: {error}"))
            }),
            Said::Ended => Err(Failure::silent(Exit::Failed)),
            Said::Late => Err(Failure::failed(format!(
                "the look from inside took longer than {} s",
                LOOK_PATIENCE.as_secs()
            ))),
        }
    }

    /// What came of its question.
    fn second(&mut self, watch: &mut Watch) -> Result<Outcome, Failure> {
        Ok(match self.next(watch, QUESTION_PATIENCE)? {
            Said::Line(line) => serde_json::from_str(&line)
                .map_or(Outcome::Late, |Answered { code }| Outcome::Answered(code)),
            Said::Ended | Said::Late => Outcome::Late,
        })
    }

    fn next(&mut self, watch: &mut Watch, patience: Duration) -> Result<Said, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let rest = self.bytes.split_off(end + 1);
                let line = std::mem::replace(&mut self.bytes, rest);
                return Ok(Said::Line(String::from_utf8_lossy(&line).into_owned()));
            }
            if !watch.until(self.stdout.as_fd(), deadline)? {
                return Ok(Said::Late);
            }
            let mut buffer = [0; 16 << 10];
            let count = match self.stdout.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.map_err(|error| {
                    let words = Errno::of(&error);
                    Failure::failed(format!("cannot read what was seen inside: {words}"))
                })?,
            };
            if count == 0 || self.bytes.len() > LOOK_MOST {
                return Ok(Said::Ended);
            }
            self.bytes.extend(buffer.get(..count).unwrap_or_default());
        }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
