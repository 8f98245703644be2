//! `top` and `status --watch`, on a terminal.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::pty::Pty;
use crate::serve::QUICKSTART;
use crate::served::{Served, send};
use crate::support::{configure, eventually, expect, inside, netnsctl};
use crate::traffic::{
    connect, expect_answer, expect_datagram, expect_refusal, serve_tcp, serve_udp, udp,
};

const SIZE: (u16, u16) = (120, 30);
const FAST: &[&str] = &["top", "--interval", "0.1"];
const LEFT: &str = "\x1b[D";
const DOWN: &str = "\x1b[B";

/// The number in a column of the line that has `words`, as it is shown.
fn shown(pty: &Pty, words: &str, title: &str) -> Option<String> {
    let text = pty.text();
    let header = text.lines().find(|line| line.contains(title))?;
    let characters = |line: &str| line.chars().collect::<Vec<_>>();
    // Numbers end where their titles do; a mark of the order comes after the title.
    let end = header[..header.find(title)? + title.len()].chars().count();
    let line = characters(text.lines().find(|line| line.contains(words))?);
    let mark = characters(header)
        .get(end)
        .is_some_and(|it| "v^".contains(*it));
    let cell: String = line.get(..end + usize::from(mark))?.iter().collect();
    Some(cell.rsplit(' ').next()?.to_owned())
}

/// Whether a number is known and not nothing.
fn is_some(number: Option<String>) -> bool {
    number.is_some_and(|it| it != "-" && it != "0" && it.starts_with(|c: char| c.is_ascii_digit()))
}

/// Sends requests and datagrams from `left` to `right` until it is dropped.
struct Traffic {
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Traffic {
    fn start() -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                let mut client = connect("left", "127.0.0.1:8080");
                expect_answer(&mut client, "hi ", "there");
                expect_datagram("left", "127.0.0.1:0", "127.0.0.1:5300", "");
                // Over the cable, where nobody takes it.
                let socket = udp("left", "192.168.77.1:0");
                socket.send_to(&[0; 500], "192.168.77.2:9").expect("a way");
            }
        });
        Self {
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[netnsctl_machine::test]
fn top_shows_the_rates_of_live_traffic() {
    let mut served = Served::ready(&[QUICKSTART]);
    serve_tcp("right", "127.0.0.1:8000", "hi ");
    serve_udp("right", "127.0.0.1:5353", "");
    let mut pty = Pty::netnsctl(FAST, SIZE);
    pty.wait_for("[1 namespaces 2]");
    let traffic = Traffic::start();
    for title in ["OUT B/s", "OUT p/s", "CONN/s"] {
        eventually(title, || {
            is_some(shown(&pty, " left ", title)).then_some(())
        });
    }
    pty.press("2");
    pty.wait_for("[2 links 4]");
    let arrives = || is_some(shown(&pty, "right", "OUT B/s")).then_some(());
    eventually("a rate of the cable", arrives);
    pty.press("3");
    pty.wait_for("[3 forwards 2]");
    for title in ["THERE B/s", "BACK B/s", "CONN/s"] {
        for forward in ["tcp 127.0.0.1:8080", "udp 127.0.0.1:5300"] {
            eventually(title, || is_some(shown(&pty, forward, title)).then_some(()));
        }
    }
    let datagrams = || is_some(shown(&pty, "udp 127.0.0.1:5300", "p/s")).then_some(());
    eventually("datagrams", datagrams);
    drop(traffic);
    // It comes to rest.
    let rests = || (shown(&pty, "tcp 127.0.0.1:8080", "THERE B/s")? == "0").then_some(());
    eventually("no rate", rests);
    pty.press("q");
    assert_eq!(pty.exit().code(), Some(0));
    served.stop();
}

#[netnsctl_machine::test]
fn top_looks_into_a_forward_and_a_namespace() {
    let mut served = Served::ready(&[QUICKSTART]);
    expect_refusal("left", "127.0.0.1:8080");
    let mut pty = Pty::netnsctl(FAST, SIZE);
    pty.press("3/tcp\r\r");
    pty.wait_for("1 × ECONNREFUSED");
    pty.wait_for("127.0.0.1:8000 in right");
    pty.wait_for("0 open, 0 connecting, 0 new/s, 1 ever, 0 reset");
    // Nobody else is in the way of the row once it is left, and the filter goes at last.
    pty.press("\x1b");
    pty.wait_until("the table", |text| {
        text.contains("FORWARD") && !text.contains("udp")
    });
    pty.press("\x1b");
    pty.wait_for("udp 127.0.0.1:5300");
    pty.press("1/left\r\r");
    pty.wait_for("left: up, as declared");
    for words in [
        "192.168.77.1/30",
        "⇄ right:left",
        "10.20.0.1/32",
        "forward",
        "route",
        "nscd",
    ] {
        pty.wait_for(words);
    }
    // Its daemon is inside, and the end of the list can be reached.
    pty.resize(60, 10);
    pty.press("G");
    pty.wait_for("process");
    pty.press("g");
    pty.wait_for("all links");
    pty.press("q");
    assert_eq!(pty.exit().code(), Some(0));
    served.stop();
}

/// The place of the lines that have these words.
fn places(text: &str, words: &[&str]) -> Vec<Option<usize>> {
    let place = |word: &&str| text.lines().position(|line| line.contains(*word));
    words.iter().map(place).collect()
}

#[netnsctl_machine::test]
fn top_sorts_filters_and_pauses() {
    configure("[netns.alpha]\n[netns.beta]\n[netns.gamma]\n");
    expect(0, &["up"]);
    let mut pty = Pty::netnsctl(FAST, SIZE);
    pty.wait_for("gamma");
    // From the bytes that come in to the name, and then the other way round.
    pty.press(&LEFT.repeat(2));
    pty.wait_for("NETNSv");
    let in_order = |text: &str| places(text, &[" alpha ", " beta ", " gamma "]).is_sorted();
    pty.wait_until("a to z", in_order);
    pty.press("r");
    pty.wait_for("NETNS^");
    pty.wait_until("z to a", |text| {
        places(text, &[" gamma ", " beta ", " alpha "]).is_sorted()
    });
    // The chosen row stays chosen.
    pty.press(DOWN);
    pty.wait_for(">beta");
    pty.press("/BET");
    pty.wait_until("one row", |text| {
        text.contains(">beta") && !text.contains("gamma")
    });
    pty.wait_for("/BET_");
    pty.press("\r");
    pty.wait_for("filter: BET");
    pty.press("\x1b");
    pty.wait_for("gamma");
    pty.wait_for(">beta");
    // What goes while it is paused is shown until it is not.
    pty.press("p");
    pty.wait_for("paused");
    expect(0, &["down", "gamma"]);
    pty.press("?");
    pty.wait_for("sort the other way round");
    pty.press("\x1b");
    pty.wait_until("the table", |text| text.contains("as declared"));
    assert!(
        pty.line("gamma")
            .is_some_and(|line| line.contains("as declared"))
    );
    pty.press("p");
    eventually("the news", || {
        pty.line("gamma")?.contains("!down").then_some(())
    });
    pty.press("q");
    assert_eq!(pty.exit().code(), Some(0));
}

#[netnsctl_machine::test]
fn top_shows_drift_as_it_comes_and_goes() {
    configure("[netns.office]\n[[netns.office.veth]]\n");
    expect(0, &["up"]);
    let mut pty = Pty::netnsctl(&[FAST, &["office"]].concat(), SIZE);
    pty.wait_for("as declared");
    inside(
        "office",
        "echo 1 >/proc/sys/net/ipv4/conf/default/forwarding",
    );
    pty.wait_for("!differs");
    assert_eq!(shown(&pty, "office", "DRIFT").as_deref(), Some("1"));
    pty.press("/office\r\r");
    pty.wait_for("net.ipv4.conf.default.forwarding 1 → 0");
    expect(0, &["up"]);
    pty.wait_for("office: up, as declared");
    expect(0, &["down"]);
    pty.wait_for("office: down");
    pty.press("q");
    assert_eq!(pty.exit().code(), Some(0));
}

#[netnsctl_machine::test]
fn top_follows_the_size_of_its_terminal() {
    configure("[netns.office]\n[netns.attic]\n");
    expect(0, &["up"]);
    let mut pty = Pty::netnsctl(FAST, SIZE);
    pty.wait_for("OUT p/s");
    for (size, has, has_not) in [
        ((20, 5), "IN B/s", "OUT p/s"),
        ((200, 50), "DRIFT", "…"),
        ((80, 2), "office", "NETNS"),
        ((1, 1), ">", "office"),
        ((80, 24), "? help", "…"),
    ] {
        pty.resize(size.0, size.1);
        pty.wait_until(&format!("{size:?}"), |text| {
            text.contains(has) && !text.contains(has_not)
        });
    }
    pty.press("?");
    pty.wait_for("sort the other way round");
    pty.press("q");
    assert_eq!(pty.exit().code(), Some(0));
    pty.expect_restored();
}

#[netnsctl_machine::test]
fn top_gives_the_terminal_back_however_it_ends() {
    configure("[netns.office]\n");
    let ends: [fn(&mut Pty); 5] = [
        |pty| pty.press("q"),
        |pty| pty.press("\x03"),
        |pty| send(pty.pid(), Signal::TERM),
        |pty| send(pty.pid(), Signal::HUP),
        |pty| send(pty.pid(), Signal::QUIT),
    ];
    for end in ends {
        let mut pty = Pty::netnsctl(FAST, SIZE);
        pty.wait_for("office");
        assert!(pty.look(|screen| screen.alternate_screen() && screen.hide_cursor()));
        assert!(!pty.has_modes());
        end(&mut pty);
        assert_eq!(pty.exit().code(), Some(0));
        pty.expect_restored();
    }
}

#[netnsctl_machine::test]
fn top_can_be_stopped_and_continued() {
    configure("[netns.office]\n");
    let program = env!("CARGO_BIN_EXE_netnsctl");
    // A shell that has jobs, as a person's has.
    let script = format!("{program} top -i 0.1; echo stopped $?; read line; fg; echo ended $?");
    let mut pty = Pty::start(&["sh", "-mc", &script], SIZE);
    pty.wait_for("office");
    pty.press("\x1a");
    pty.wait_for("stopped 148");
    pty.expect_restored();
    pty.press("go on\r");
    pty.wait_for("office");
    assert!(pty.look(vt100::Screen::alternate_screen) && !pty.has_modes());
    pty.press("q");
    pty.wait_for("ended 0");
    assert_eq!(pty.exit().code(), Some(0));
    pty.expect_restored();
}

#[netnsctl_machine::test]
fn top_without_a_terminal_or_with_wrong_names_says_so() {
    configure("[netns.office]\n");
    let ran = expect(2, &["top"]);
    assert!(
        ran.stderr.contains("\"top\" needs a terminal"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    for (arguments, words) in [
        (&["top", "nobody"][..], "neither declared nor managed"),
        (&["top", "default"], "not managed"),
        (&["top", "-i", "0"], "number of seconds"),
    ] {
        let mut pty = Pty::netnsctl(arguments, SIZE);
        assert_eq!(pty.exit().code(), Some(2));
        pty.wait_for(words);
        pty.expect_restored();
    }
}

#[netnsctl_machine::test]
fn top_does_without_colour_where_that_is_wanted() {
    // One that is down is marked.
    configure("[netns.office]\n");
    let has_colour = |pty: &Pty| {
        pty.look(|screen| {
            let (rows, columns) = (SIZE.1, SIZE.0);
            let mut cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
            cells.any(|(row, column)| {
                let cell = screen.cell(row, column);
                cell.is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
            })
        })
    };
    let program = env!("CARGO_BIN_EXE_netnsctl");
    for (value, wanted) in [("", true), ("1", false)] {
        let mut pty = Pty::start_with(&[program, "top"], SIZE, &[("NO_COLOR", value)]);
        pty.wait_for("!down");
        assert_eq!(has_colour(&pty), wanted, "NO_COLOR={value}");
        pty.press("q");
        assert_eq!(pty.exit().code(), Some(0));
    }
}

#[netnsctl_machine::test]
fn watched_status_is_drawn_in_place_and_its_last_report_stays() {
    configure("[netns.office]\n[netns.attic]\n");
    expect(0, &["up"]);
    let mut pty = Pty::netnsctl(&["status", "--watch"], SIZE);
    pty.wait_for("office: up, as declared");
    inside(
        "office",
        "echo 1 >/proc/sys/net/ipv4/conf/default/forwarding",
    );
    pty.wait_until("one report that is new", |text| {
        text.contains("office: up, 1 difference") && text.matches("attic: ").count() == 1
    });
    // What does not fit is counted.
    pty.resize(30, 3);
    pty.wait_for("more lines");
    pty.wait_until("three lines", |text| {
        text.starts_with("attic: up, as declared")
    });
    pty.resize(SIZE.0, SIZE.1);
    pty.wait_for("office: up, 1 difference");
    configure("[netns.office]\noops = 1\n");
    pty.wait_for("the configuration is wrong");
    pty.press("\x03");
    assert_eq!(pty.exit().code(), Some(2));
    pty.expect_restored();
    pty.wait_for("office: ");
}

#[netnsctl_machine::test]
fn watched_status_that_is_piped_is_one_report_after_the_other() {
    configure("[netns.office]\n");
    let mut command = netnsctl(&["status", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut report = String::new();
    while !report.ends_with("---\n") {
        assert!(reader.read_line(&mut report).expect("text") > 0);
    }
    assert_eq!(report.matches("office: down").count(), 1, "{report}");
    let mut next = vec![0; 12];
    reader.read_exact(&mut next).expect("another");
    assert_eq!(next, b"office: down");
    assert!(!report.contains('\x1b'));
    // A reader that leaves ends it.
    drop(reader);
    let status = eventually("its end", || child.try_wait().expect("it is our child"));
    assert_eq!(status.code(), Some(0));
}
