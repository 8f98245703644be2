//! The daemon when descriptors run out.

use std::os::unix::net::UnixStream;

use super::stage::{SOCKET, connect, program, read, request, set};
use crate::forward::ready;
use crate::support::eventually;

/// What the daemon has said.
fn log() -> String {
    std::fs::read_to_string("/run/log").expect("the daemon's log")
}

#[netnsctl_machine::test]
fn nscd_outlives_a_lack_of_descriptors() {
    // The second module knows nobody: it must not pass for the answer when the first has no file.
    set();
    let mut shell = program("sh");
    let script = format!("ulimit -n 40; exec \"$0\" nscd --socket {SOCKET}");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_netnsctl")]);
    shell.stderr(std::fs::File::create("/run/log").unwrap());
    let mut daemon = ready(shell);
    let ask = || request(0, b"ann\0");
    // More clients than descriptors. They keep theirs until they are sent away.
    let mute: Vec<UnixStream> = (0..60).map(|_| connect(b"")).collect();
    eventually("the lack to be told", || {
        log()
            .contains(": Too many open files (EMFILE); clients wait or look up by themselves")
            .then_some(())
    });
    // Who was accepted is answered: to look up by itself, where no file can be opened.
    rustix::io::write(&mute[0], &ask()).unwrap();
    let mut found = [0; 8];
    let mut first = &mute[0];
    std::io::Read::read_exact(&mut first, &mut found).unwrap();
    assert!(
        [1i32, -1]
            .map(i32::to_ne_bytes)
            .contains(&[found[4], found[5], found[6], found[7]]),
        "{found:?}"
    );
    // Who was not waits its turn, and all is well once the others have left.
    let waiting = connect(&ask());
    drop(mute);
    let late = read(waiting);
    assert!(late.len() > 8, "{late:?}");
    assert_ne!(late[4..8], 0i32.to_ne_bytes(), "not found");
    // Nobody is told that ann does not exist, then or later.
    eventually("a whole answer", || {
        let reply = read(connect(&ask()));
        assert_ne!(reply[4..8], 0i32.to_ne_bytes(), "not found");
        (reply[4..8] == 1i32.to_ne_bytes()).then_some(())
    });
    eventually("the end to be told", || {
        log().contains("looking up again").then_some(())
    });
    assert!(daemon.0.try_wait().unwrap().is_none());
}
