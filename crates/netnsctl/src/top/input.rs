//! Bytes of a terminal become keys, keys become what the model is to do.
//!
//! Sources: console_codes(4) and the control sequences of xterm, in both its modes for arrow keys.

use super::model::Action;
use super::table::Tab;

/// The longest sequence of a key; what is longer is none of ours and dropped.
const LONGEST_SEQUENCE: usize = 16;

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    BackTab,
    Backspace,
    Char(char),
    Control(char),
    Down,
    End,
    Enter,
    Escape,
    Home,
    Left,
    PageDown,
    PageUp,
    Right,
    Tab,
    Up,
}

/// Reads keys, of which one may come in pieces.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pending: Vec<u8>,
}

/// What the beginning of some bytes is.
enum Begin {
    /// A key of that many bytes; none if it is one that nobody knows.
    Key(usize, Option<Key>),
    /// The first bytes of one.
    Unfinished,
}

impl Keys {
    /// The keys that `bytes` complete.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while !self.pending.is_empty() {
            match begin(&self.pending) {
                Begin::Key(length, key) => {
                    self.pending.drain(..length);
                    keys.extend(key);
                }
                Begin::Unfinished if self.pending.len() > LONGEST_SEQUENCE => self.pending.clear(),
                Begin::Unfinished => break,
            }
        }
        keys
    }

    /// Whether more may belong to what came last.
    pub(super) fn is_in_sequence(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing more came: an ESC was the key of that name.
    pub(super) fn end_sequence(&mut self) -> Vec<Key> {
        let pending = std::mem::take(&mut self.pending);
        match pending.as_slice() {
            [0x1b] => vec![Key::Escape],
            _ => Vec::new(),
        }
    }
}

fn begin(bytes: &[u8]) -> Begin {
    let one = |key| Begin::Key(1, Some(key));
    match bytes {
        [0x1b, b'[' | b'O', ..] => sequence(bytes),
        [0x1b] => Begin::Unfinished,
        // ESC and another key: Alt with it, or both in haste.
        [0x1b, ..] => one(Key::Escape),
        [b'\r' | b'\n', ..] => one(Key::Enter),
        [b'\t', ..] => one(Key::Tab),
        [0x08 | 0x7f, ..] => one(Key::Backspace),
        [byte @ 0x01..=0x1a, ..] => one(Key::Control(char::from(byte + b'a' - 1))),
        [0x00..=0x1f, ..] => Begin::Key(1, None),
        _ => character(bytes),
    }
}

fn character(bytes: &[u8]) -> Begin {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(error) => {
            return match error.error_len() {
                Some(length) => Begin::Key(length, None),
                None => Begin::Unfinished,
            };
        }
    };
    let first = valid.chars().next();
    let key = first.filter(|it| !it.is_control()).map(Key::Char);
    Begin::Key(first.map_or(1, char::len_utf8), key)
}

/// `ESC [` or `ESC O`, parameters, and a byte that ends it.
fn sequence(bytes: &[u8]) -> Begin {
    let rest = &bytes[2..];
    let ends = |byte: &u8| (0x40..=0x7e).contains(byte);
    let Some(length) = rest.iter().position(ends) else {
        return Begin::Unfinished;
    };
    let mut numbers = rest[..length].split(|byte| *byte == b';');
    let key = match (rest[length], numbers.next().unwrap_or_default()) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'C', _) => Some(Key::Right),
        (b'D', _) => Some(Key::Left),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
        (b'Z', _) => Some(Key::BackTab),
        (b'M', _) if bytes[1] == b'O' => Some(Key::Enter),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        _ => None,
    };
    Begin::Key(2 + length + 1, key)
}

/// What a key means; while a filter is typed, characters are its text.
pub(super) fn action(key: Key, is_typing: bool) -> Option<Action> {
    Some(match key {
        Key::Char(character) if is_typing => Action::Type(character),
        Key::Backspace if is_typing => Action::Rub,
        Key::Control('u') if is_typing => Action::RubAll,
        Key::Enter => Action::Enter,
        Key::Escape => Action::Back,
        Key::Up | Key::Control('p') | Key::Char('k') => Action::Up,
        Key::Down | Key::Control('n') | Key::Char('j') => Action::Down,
        Key::PageUp | Key::Control('b') => Action::PageUp,
        Key::PageDown | Key::Control('f') | Key::Char(' ') => Action::PageDown,
        Key::Home | Key::Char('g') => Action::First,
        Key::End | Key::Char('G') => Action::Last,
        Key::Left | Key::Char('<' | 'S') => Action::SortPrevious,
        Key::Right | Key::Char('>' | 's') => Action::SortNext,
        Key::Char('r') => Action::Reverse,
        Key::Tab => Action::NextTab,
        Key::BackTab => Action::PreviousTab,
        Key::Char('1') => Action::Show(Tab::Netns),
        Key::Char('2') => Action::Show(Tab::Links),
        Key::Char('3') => Action::Show(Tab::Forwards),
        Key::Char('/') => Action::Filter,
        Key::Char('p') => Action::Pause,
        Key::Char('?' | 'h') => Action::Help,
        Key::Char('q' | 'Q') => Action::End,
        Key::Control('l') => Action::Redraw,
        Key::Backspace | Key::Char(_) | Key::Control(_) => return None,
    })
}

/// The keys, for the help on the screen.
pub(super) const HELP: &[(&str, &str)] = &[
    ("Up Down j k", "move"),
    ("PgUp PgDn", "a page up, down"),
    ("Home End g G", "first, last"),
    ("Enter", "look into the row"),
    ("Esc", "back; no filter"),
    ("Tab 1 2 3", "namespaces, links, forwards"),
    ("Left Right", "sort by another column"),
    ("r", "sort the other way round"),
    ("/", "show only rows with a text"),
    ("p", "pause, go on"),
    ("Ctrl-L", "draw anew"),
    ("Ctrl-Z", "to the shell; fg returns"),
    ("q Ctrl-C", "end"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_usual_terminals_are_known() {
        let cases: &[(&[u8], &[Key])] = &[
            (b"q", &[Key::Char('q')]),
            ("ä/".as_bytes(), &[Key::Char('ä'), Key::Char('/')]),
            (b"\x1b[A\x1bOB", &[Key::Up, Key::Down]),
            (b"\x1b[1;5C\x1b[D", &[Key::Right, Key::Left]),
            (b"\x1b[5~\x1b[6~", &[Key::PageUp, Key::PageDown]),
            (b"\x1b[H\x1b[4~", &[Key::Home, Key::End]),
            (b"\t\x1b[Z", &[Key::Tab, Key::BackTab]),
            (
                b"\r\x7f\x0c",
                &[Key::Enter, Key::Backspace, Key::Control('l')],
            ),
            (b"\x1bq", &[Key::Escape, Key::Char('q')]),
            (b"\x1b[15~\xffx\0", &[Key::Char('x')]),
        ];
        for (bytes, wanted) in cases {
            let mut keys = Keys::default();
            assert_eq!(keys.read(bytes), *wanted, "{bytes:?}");
            assert!(!keys.is_in_sequence());
        }
    }

    #[test]
    fn a_key_in_pieces_is_one_and_a_lone_esc_is_escape() {
        let mut keys = Keys::default();
        assert_eq!(keys.read(b"\x1b"), []);
        assert!(keys.is_in_sequence());
        assert_eq!(keys.read(b"["), []);
        assert_eq!(keys.read(b"5"), []);
        assert_eq!(keys.read(b"~"), [Key::PageUp]);
        assert_eq!(keys.read(b"\x1b"), []);
        assert_eq!(keys.end_sequence(), [Key::Escape]);
        assert!(!keys.is_in_sequence());
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_alike_in_pieces(
            bytes in proptest::collection::vec(any::<u8>(), 0..14),
            cut in 0_usize..14,
        ) {
            let mut whole = Keys::default();
            let mut wanted = whole.read(&bytes);
            wanted.extend(whole.end_sequence());
            let (first, rest) = bytes.split_at(cut.min(bytes.len()));
            let mut pieces = Keys::default();
            let mut found = pieces.read(first);
            found.extend(pieces.read(rest));
            found.extend(pieces.end_sequence());
            prop_assert_eq!(found, wanted);
            prop_assert!(!pieces.is_in_sequence());
        }
    }
}
