//! Processes that keep a namespace alive, and what `down` says and does about them.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};

use crate::net::{Connection, has_link, inode, name_exists, netns};
use crate::support::{command, configure, eventually, expect, netnsctl, traces};

pub(crate) const RUNS_INSIDE: &str = "runs inside";

/// A process inside a namespace, ended with this value.
pub(crate) struct Guest(Child);

impl Guest {
    /// Runs `sleep` inside.
    pub(crate) fn enter(netns: &str) -> Self {
        Self::run(netns, &["sleep", "1000"])
    }

    fn run(netns: &str, command: &[&str]) -> Self {
        let arguments = [&["run", netns, "--"], command].concat();
        let child = netnsctl(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program can be started");
        let guest = Self(child);
        let inside = format!("net:[{}]", inode(netns));
        eventually("the command to run inside", || {
            let started = guest.netns() == inside && guest.comm() == command[0];
            started.then_some(())
        });
        guest
    }

    /// The network namespace it is in.
    pub(crate) fn netns(&self) -> String {
        let link = std::fs::read_link(format!("/proc/{}/ns/net", self.0.id()));
        link.map_or_else(|_| String::new(), |link| link.display().to_string())
    }

    fn comm(&self) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/comm", self.0.id()));
        text.unwrap_or_default().trim_end().to_owned()
    }

    /// The line in which `down` names it.
    pub(crate) fn line(&self, how: &str) -> String {
        format!("  process {} ({}), which {how}\n", self.0.id(), self.comm())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const OFFICE: &str = "[netns.office]\naddress = [\"10.20.0.1/24\"]\n[[netns.office.veth]]\n";
const LIVES_ON: &str = "note: netns \"office\" lost its name but lives on, held by\n";

#[netnsctl_machine::test]
fn down_names_the_process_inside_and_takes_the_home_end_anyway() {
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    let mut guest = Guest::enter("office");
    let ran = expect(0, &["down"]);
    assert_eq!(ran.stdout, "- netns office\n");
    let hint = "  hint: end them; \"netnsctl down --kill\" would have done so\n";
    assert_eq!(
        ran.stderr,
        format!("{LIVES_ON}{}{hint}", guest.line(RUNS_INSIDE))
    );
    assert!(guest.is_alive());
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn down_kill_ends_the_processes_inside() {
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    let (mut one, mut two) = (Guest::enter("office"), Guest::enter("office"));
    let ran = expect(0, &["down", "--kill"]);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("- netns office\n", "")
    );
    for guest in [&mut one, &mut two] {
        let status = guest.0.wait().expect("it is our child");
        assert_eq!(status.signal(), Some(15));
    }
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn down_kill_ends_what_does_not_listen_to_sigterm() {
    configure(OFFICE);
    expect(0, &["up"]);
    let deaf = "trap '' TERM; while :; do sleep 1000; done";
    let mut guest = Guest::run("office", &["sh", "-c", deaf]);
    // The trap is set once the shell has a child.
    let children = format!("/proc/{0}/task/{0}/children", guest.0.id());
    eventually("the shell to begin", || {
        let text = std::fs::read_to_string(&children).unwrap_or_default();
        (!text.trim().is_empty()).then_some(())
    });
    let ran = expect(0, &["down", "--kill"]);
    assert_eq!(ran.stderr, "");
    assert_eq!(guest.0.wait().expect("it is our child").signal(), Some(9));
    assert!(!name_exists("office"));
}

#[netnsctl_machine::test]
fn down_names_a_process_that_only_has_a_descriptor() {
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    let held = netns("office");
    let ran = expect(0, &["down"]);
    let (own, line) = (std::process::id(), ran.stderr.strip_prefix(LIVES_ON));
    let line = line.expect("a note comes first");
    assert!(
        line.starts_with(&format!("  process {own} ("))
            && line.ends_with("), which has a descriptor of it\n"),
        "{line}"
    );
    assert_eq!(traces(), before);
    drop(held);
}

#[netnsctl_machine::test]
fn down_names_a_process_in_whose_mounts_a_namespace_stays() {
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    std::fs::write("/run/elsewhere", "").expect("/run is ours");
    let mount = "mount --bind /run/netns/office /run/elsewhere && exec sleep 1000";
    let child = command("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", mount])
        .spawn()
        .expect("util-linux is everywhere");
    let guest = Guest(child);
    eventually("the command to run", || {
        (guest.comm() == "sleep").then_some(())
    });
    let ran = expect(0, &["down"]);
    let line = guest.line("has it mounted");
    assert_eq!(ran.stderr, format!("{LIVES_ON}{line}"));
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn down_takes_the_veths_of_a_namespace_that_a_socket_keeps() {
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    let connection = Connection::open("office", "10.20.0.1");
    // No file of /proc shows a namespace that only a socket keeps.
    assert_eq!(expect(0, &["down"]).stdout, "- netns office\n");
    assert_eq!(traces(), before);
    connection.carries();
}

#[netnsctl_machine::test]
fn down_of_one_end_takes_the_other_although_the_namespace_lives_on() {
    // The pair is declared, and so recorded, at the other end.
    configure("[netns.alpha]\n[netns.beta]\n[[netns.alpha.veth]]\nnetns = \"beta\"\n");
    expect(0, &["up"]);
    let guest = Guest::enter("beta");
    expect(0, &["down", "beta"]);
    assert!(!has_link("alpha", "beta"));
    expect(0, &["up"]);
    crate::support::settled();
    assert!(has_link("alpha", "beta") && has_link("beta", "alpha"));
    drop(guest);
    expect(0, &["down"]);
}
