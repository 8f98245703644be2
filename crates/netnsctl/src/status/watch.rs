//! `status --watch`: one report after the other. On a terminal each is drawn over the one before,
//! and the last stays when it ends; elsewhere they follow each other, with a line between.

use std::io::{self, ErrorKind, Write as _};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar as _;

use super::render;
use super::wire::Report;
use crate::output::{self, Exit, Failure};
use crate::terminal::{self, Event, Screen};

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What stands between two reports that are not drawn over each other.
const BETWEEN: &str = "---\n";

/// Begins and ends what a terminal is to show at once; one that does not know this ignores it.
const AT_ONCE: [&str; 2] = ["\x1b[?2026h", "\x1b[?2026l"];

/// A report, and the exit status that says whether the configuration is right.
type Look = Result<(Report, Exit), Failure>;

/// Shows what `look` gives until it fails, or is told to end. `look` is to say nothing itself if it
/// is told to be quiet.
pub(crate) fn watch(look: impl Fn(bool) -> Look) -> Result<Exit, Failure> {
    if terminal::can_draw() {
        in_place(look)
    } else {
        one_after_the_other(look)
    }
}

fn one_after_the_other(look: impl Fn(bool) -> Look) -> Result<Exit, Failure> {
    let mut between = "";
    loop {
        let (report, exit) = look(false)?;
        let text = format!("{between}{}", render(&report, false));
        let mut stdout = io::stdout().lock();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Ok(()) => {}
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(exit),
            Err(error) => {
                let words = netnsctl_sys::errno::words(&error);
                return Err(Failure::failed(format!("cannot write to stdout: {words}")));
            }
        }
        drop(stdout);
        between = BETWEEN;
        std::thread::sleep(PAUSE);
    }
}

fn in_place(look: impl Fn(bool) -> Look) -> Result<Exit, Failure> {
    let color = output::color_on_stdout();
    let shown = |quiet| -> Result<(String, Exit), Failure> {
        let (report, exit) = look(quiet)?;
        let mut text = render(&report, color);
        if exit != Exit::Done {
            text.push_str("\nthe configuration is wrong; \"netnsctl check\" says where\n");
        }
        Ok((text, exit))
    };
    // What fails at once is no reason to take the terminal, and what is wrong is said there.
    let (mut text, mut exit) = shown(false)?;
    let screen = Screen::take()?;
    let mut next = Instant::now() + PAUSE;
    loop {
        // A terminal that is gone is an event.
        let _ = screen.draw(frame(&text, screen.size()).as_bytes());
        match screen.wait(Some(next), None)? {
            Event::End => break,
            Event::Input(keys) if keys.contains(&b'q') => break,
            Event::Input(_) | Event::Spoilt | Event::Woken => {}
            Event::Time => {
                (text, exit) = shown(true)?;
                next = Instant::now() + PAUSE;
            }
        }
    }
    drop(screen);
    output::print(&text)?;
    Ok(exit)
}

/// What draws `text` over whatever is on a screen of that size.
fn frame(text: &str, (columns, rows): (u16, u16)) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let rows = usize::from(rows.max(1));
    let hidden = match lines.len() > rows {
        true => lines.len() - (rows - 1),
        false => 0,
    };
    let shown = &lines[..lines.len() - hidden];
    let mut shown: Vec<String> = shown.iter().map(|line| cut(line, columns)).collect();
    if hidden > 0 {
        let words = format!("({hidden} more lines; \"netnsctl top\" scrolls, a NAME shows less)");
        shown.push(cut(&words, columns));
    }
    // Each line is written over and its rest erased, so that nothing is ever blank in between.
    let body = shown.join("\x1b[K\r\n");
    let [begin, end] = AT_ONCE;
    format!("{begin}\x1b[H{body}\x1b[K\x1b[J{end}")
}

/// As much of a line as fits into `columns`: one that is longer would go on in the next, and some
/// terminals cannot be told not to. Colours take no room.
fn cut(line: &str, columns: u16) -> String {
    let (mut shown, mut room, mut in_colour) = (String::new(), usize::from(columns), false);
    for character in line.chars() {
        in_colour |= character == '\x1b';
        if in_colour {
            in_colour = character != 'm';
        } else {
            match room.checked_sub(character.width().unwrap_or(0)) {
                Some(left) => room = left,
                // What ends a colour may come after.
                None => return shown + "\x1b[0m",
            }
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_nothing_scrolls() {
        let text = "1\n2\n3\n4\n";
        let lines = |rows| {
            let frame = frame(text, (80, rows));
            let (head, rest) = frame.split_once("\x1b[H").unwrap();
            assert_eq!(head, AT_ONCE[0]);
            let rest = rest.strip_suffix("\x1b[K\x1b[J\x1b[?2026l").unwrap();
            rest.split("\x1b[K\r\n")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(5), ["1", "2", "3", "4"]);
        assert_eq!(lines(4), ["1", "2", "3", "4"]);
        let cut = lines(3);
        assert_eq!(cut[..2], ["1", "2"]);
        assert!(cut[2].starts_with("(2 more lines;"), "{cut:?}");
        assert!(lines(1)[0].starts_with("(4 more lines;"));
    }

    #[test]
    fn lines_are_cut_where_the_terminal_ends_and_colours_take_no_room() {
        let line = "\x1b[31mred\x1b[0m ⇄ 界界";
        assert_eq!(cut(line, 10), line);
        assert_eq!(cut(line, 9), "\x1b[31mred\x1b[0m ⇄ 界\x1b[0m");
        assert_eq!(cut(line, 2), "\x1b[31mre\x1b[0m");
        assert_eq!(cut("", 0), "");
    }
}
