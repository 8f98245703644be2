//! Completion, by typing into the real shells.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Instant;

use crate::support::{PATIENCE, command, configure, expect, say};

/// What the shells are given, and what the command then gets.
const TYPED: &[(&str, &str)] = &[
    ("netnsctl up off\t", "<up><office>"),
    ("netnsctl dow\tatt\t", "<down><attic>"),
    ("netnsctl up --pru\t", "<up><--prune>"),
    ("netnsctl run def\t", "<run><default>"),
    ("netnsctl up a\\ \t", "<up><a b>"),
    (
        "netnsctl up office --part ve\t",
        "<up><office><--part><veth:1>",
    ),
    (
        "netnsctl up office --part=ve\t",
        "<up><office><--part=veth:1>",
    ),
    ("netnsctl completions z\t", "<completions><zsh>"),
    (
        "netnsctl --config la\tup lef\t",
        "<--config><lab.toml><up><left>",
    ),
    (
        "netnsctl --config=la\tup lef\t",
        "<--config=lab.toml><up><left>",
    ),
    (
        "netnsctl --config ~/lab.toml up lef\t",
        "<--config><HOME/lab.toml><up><left>",
    ),
    (
        "netnsctl run office -- mandatory-too\t",
        "<run><office><--><mandatory-tool>",
    ),
    (
        "netnsctl forward --listen-netns off\t",
        "<forward><--listen-netns><office>",
    ),
    ("netnsctl nonsense x\t", "<nonsense><x>"),
];

/// A namespace with a pair, one with a space in its name, and one that is there but not declared.
fn stage() {
    configure("[netns.attic]\n");
    expect(0, &["up", "--quiet"]);
    configure("[netns.office]\n[[netns.office.veth]]\n[netns.\"a b\"]\ninterface = \"ab\"\n");
}

#[netnsctl_machine::test]
fn bash_completes() {
    completes(
        "bash --noprofile --rcfile rc -i",
        "rc",
        "PS1='ready> '\nbind 'set bell-style none'\nsource <(command netnsctl completions bash)\n\
         netnsctl() { printf 'got:'; printf '<%s>' \"$@\"; printf ':end\\n'; }\n",
    );
}

#[netnsctl_machine::test]
fn zsh_completes() {
    completes(
        "zsh -i -d",
        ".zshrc",
        "PS1='ready> '\nunsetopt beep\nautoload -U compinit\ncompinit -D -u\n\
         source <(command netnsctl completions zsh)\n\
         netnsctl() { printf 'got:'; printf '<%s>' \"$@\"; printf ':end\\n' }\n",
    );
}

/// As a package has it.
#[netnsctl_machine::test]
fn zsh_finds_it_in_its_folder() {
    completes(
        "zsh -i -d",
        ".zshrc",
        "PS1='ready> '\nunsetopt beep\nmkdir -p site\nnetnsctl completions zsh >site/_netnsctl\n\
         fpath=(~/site $fpath)\nautoload -U compinit\ncompinit -D -u\n\
         netnsctl() { printf 'got:'; printf '<%s>' \"$@\"; printf ':end\\n' }\n",
    );
}

#[netnsctl_machine::test]
fn fish_completes() {
    completes(
        "fish -i --init-command 'source rc'",
        "rc",
        "function fish_prompt; printf 'ready> '; end\nset -g fish_greeting\n\
         command netnsctl completions fish | source\n\
         function netnsctl; printf 'got:'; printf '<%s>' $argv; printf ':end\\n'; end\n",
    );
}

/// Whether there are the shell and script(1), which gives it a terminal; in CI there have to be.
fn has(shell: &str) -> bool {
    let there = [shell, "script"].map(|program| command(program).arg("--version").output().is_ok());
    if there.contains(&false) {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs {shell} and script(1)"
        );
        say(&format!("SKIPPED: there is no {shell} or no script(1)"));
    }
    !there.contains(&false)
}

/// Types all lines into a shell with a terminal of its own.
fn completes(shell: &str, rc: &str, setup: &str) {
    let program = shell.split(' ').next().unwrap();
    if !has(program) {
        return;
    }
    stage();
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(rc), setup).unwrap();
    std::fs::write(home.path().join("lab.toml"), "[netns.left]\n").unwrap();
    // A command for `run` whose name nothing else on the machine begins with.
    let tools = home.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink("/bin/true", tools.join("mandatory-tool")).unwrap();
    let own = Path::new(env!("CARGO_BIN_EXE_netnsctl")).parent().unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", own.display(), tools.display());
    let mut script = command("script")
        .args([
            "--quiet",
            "--flush",
            "--return",
            "--command",
            shell,
            "/dev/null",
        ])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", home.path())
        .env("ZDOTDIR", home.path())
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = script.stdin.take().unwrap();
    let mut screen = Screen::of(script.stdout.take().unwrap());
    screen.wait("ready> ");
    for (typed, wanted) in TYPED {
        keyboard.write_all(typed.as_bytes()).unwrap();
        keyboard.write_all(b"\r").unwrap();
        screen.wait("got:");
        let got = screen.wait(":end");
        let got = got.replace(&home.path().display().to_string(), "HOME");
        assert_eq!(got, *wanted, "{program}: {typed:?}");
        screen.wait("ready> ");
    }
    keyboard.write_all(b"exit\r").unwrap();
    drop(keyboard);
    script.wait().unwrap();
}

/// What a terminal shows.
struct Screen {
    pieces: mpsc::Receiver<Vec<u8>>,
    text: String,
}

impl Screen {
    fn of(mut output: std::process::ChildStdout) -> Self {
        let (sender, pieces) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            pieces,
            text: String::new(),
        }
    }

    /// Waits until it shows `mark`, and gives what it showed before.
    #[track_caller]
    fn wait(&mut self, mark: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((before, behind)) = self.text.split_once(mark) {
                let before = before.to_owned();
                self.text = behind.to_owned();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.text.push_str(&String::from_utf8_lossy(&piece)),
                Err(error) => panic!("no {mark:?} ({error}) in {:?}", self.text),
            }
        }
    }
}

/// The words that can follow, without what they are.
fn words(line: &[&str]) -> Vec<String> {
    let asked = [&["complete", "--", "netnsctl"], line].concat();
    let ran = expect(0, &asked);
    assert_eq!(ran.stderr, "");
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next(), Some("words"), "{line:?}");
    let word = |line: &str| line.split('\t').next().unwrap().to_owned();
    lines.map(word).collect()
}

#[netnsctl_machine::test]
fn names_are_those_declared_and_those_there() {
    stage();
    assert_eq!(words(&["up", ""]), ["a b", "office"]);
    assert_eq!(words(&["plan", "office", ""]), ["a b"]);
    assert_eq!(words(&["down", ""]), ["a b", "office", "attic"]);
    assert_eq!(words(&["status", "at"]), ["attic"]);
    assert_eq!(words(&["run", ""]), ["a b", "office", "attic", "default"]);
}

#[netnsctl_machine::test]
fn who_presses_tab_sees_no_message() {
    configure("[netns.office]\nadress = []\n[netns.lab\n");
    assert_eq!(words(&["up", "of"]), ["office"]);
    std::fs::remove_dir_all("/etc/netnsctl").unwrap();
    assert_eq!(words(&["up", ""]), [""; 0]);
    assert_eq!(words(&["--config", "/nowhere.toml", "up", ""]), [""; 0]);
    assert_eq!(words(&["run", "--sandbox", ""]), [""; 0]);
    for line in [&["nonsense", ""][..], &["status", "x", ""], &[]] {
        let ran = expect(0, &[&["complete", "--", "netnsctl"], line].concat());
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    }
}
