//! A terminal of the test's own: a pseudo-terminal (pty(7)) and what it would show.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::support::{command, eventually, say};

/// A program on a terminal. Killed when dropped.
pub(crate) struct Pty {
    keys: File,
    /// Kept, so that the terminal outlives the program and tells how it was left.
    terminal: OwnedFd,
    screen: Arc<Mutex<vt100::Parser>>,
    child: Child,
    /// How the terminal was set before the program came.
    before: String,
}

impl Pty {
    /// Starts `words` on a terminal of `columns` and `rows`, which is theirs to be signalled by.
    #[track_caller]
    pub(crate) fn start(words: &[&str], (columns, rows): (u16, u16)) -> Self {
        Self::start_with(words, (columns, rows), &[])
    }

    /// As [`Self::start`], with more in the environment.
    #[track_caller]
    pub(crate) fn start_with(
        words: &[&str],
        (columns, rows): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let terminal = ioctl_tiocgptpeer(&master, flags).expect("its other end");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(rows), size(columns), 0)));
        let keys = File::from(master);
        show(keys.try_clone().expect("a descriptor"), Arc::clone(&screen));
        let before = format!("{:?}", tcgetattr(&terminal).expect("a terminal"));
        let stream = || Stdio::from(terminal.try_clone().expect("a descriptor"));
        set_size(&terminal, columns, rows);
        let mut program = command("setsid");
        program.arg("--ctty").args(words);
        program.env_remove("NO_COLOR").env("TERM", "xterm");
        program.envs(environment.iter().copied());
        let streams = program.stdin(stream()).stdout(stream()).stderr(stream());
        let child = streams.spawn().expect("setsid(1)");
        Self {
            keys,
            terminal,
            screen,
            child,
            before,
        }
    }

    /// Starts `netnsctl ARGUMENTS`.
    #[track_caller]
    pub(crate) fn netnsctl(arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start(
            &[&[env!("CARGO_BIN_EXE_netnsctl")], arguments].concat(),
            size,
        )
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types `keys`.
    #[track_caller]
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Makes it another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let mut screen = self.screen.lock().expect("no test panics here");
        screen.screen_mut().set_size(size(rows), size(columns));
        drop(screen);
        set_size(&self.terminal, columns, rows);
    }

    /// What it shows.
    pub(crate) fn text(&self) -> String {
        self.look(|screen| screen.contents())
    }

    /// The first line that has `words`.
    pub(crate) fn line(&self, words: &str) -> Option<String> {
        let text = self.text();
        let mut lines = text.lines();
        lines.find(|line| line.contains(words)).map(str::to_owned)
    }

    /// Asks the terminal something.
    pub(crate) fn look<T>(&self, ask: impl FnOnce(&vt100::Screen) -> T) -> T {
        ask(self.screen.lock().expect("no test panics here").screen())
    }

    /// Waits until it shows `words`.
    #[track_caller]
    pub(crate) fn wait_for(&self, words: &str) {
        self.wait_until(&format!("{words:?} on the terminal"), |text| {
            text.contains(words)
        });
    }

    /// Waits until what it shows is right.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, right: impl Fn(&str) -> bool) {
        eventually(what, || right(&self.text()).then_some(()));
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub(crate) fn exit(&mut self) -> ExitStatus {
        eventually("the end of the program", || {
            self.child.try_wait().expect("it is our child")
        })
    }

    /// Wants the terminal as it was: its modes, its screen and its cursor.
    #[track_caller]
    pub(crate) fn expect_restored(&self) {
        eventually("the first screen with its cursor", || {
            self.look(|screen| !screen.alternate_screen() && !screen.hide_cursor())
                .then_some(())
        });
        self.expect_modes();
    }

    /// Wants the terminal's modes as they were.
    #[track_caller]
    pub(crate) fn expect_modes(&self) {
        let after = format!("{:?}", tcgetattr(&self.terminal).expect("a terminal"));
        assert_eq!(after, self.before);
    }

    /// Whether the terminal's modes are as they were.
    pub(crate) fn has_modes(&self) -> bool {
        tcgetattr(&self.terminal).is_ok_and(|now| format!("{now:?}") == self.before)
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("the terminal shows:\n{}", self.text()));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has lines")
}

fn set_size(terminal: &OwnedFd, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("a terminal");
}

/// Shows what comes from `master`, until that is gone.
fn show(mut master: File, screen: Arc<Mutex<vt100::Parser>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = master.read(&mut buffer) {
            let mut screen = screen.lock().expect("no test panics here");
            screen.process(&buffer[..count]);
        }
    });
}
