//! Somebody who is in a view all along.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::found;
use crate::support::netnsctl;

/// A shell that has entered `left`, looks up what it is told and lives on.
pub(super) struct Asker {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Asker {
    pub(super) fn new() -> Self {
        let shell = "while read name; do getent hosts $name || echo none; done";
        let mut command = netnsctl(&["run", "left", "sh", "-c", shell]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            questions: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Waits until it is where it is to be.
    pub(super) fn inside(mut self) -> Self {
        assert_eq!(self.ask("localhost"), "127.0.0.1       localhost\n");
        self
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn ask(&mut self, name: &str) -> String {
        writeln!(self.questions, "{name}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer
    }

    #[track_caller]
    pub(super) fn finds_by_the_daemon(&mut self) {
        let before = found("left");
        let answer = self.ask("nick.test");
        assert!(answer.starts_with("192.0.2.1 "), "{answer}");
        assert_eq!(found("left"), before + 1);
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
