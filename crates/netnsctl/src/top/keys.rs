//! Bytes of a terminal become keys.
//!
//! Sources: console_codes(4) and the control sequences of xterm, in both its modes for arrow keys.

/// The longest sequence of a key, in bytes; a longer one is no key.
const LONGEST_SEQUENCE: usize = 16;

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
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
pub(crate) struct Keys {
    pending: Vec<u8>,
    /// Whether what comes next is the rest of a sequence that is too long.
    is_skipping: bool,
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
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Key> {
        let pending = std::mem::take(&mut self.pending);
        let all = [&pending, bytes].concat();
        let mut rest = all.as_slice();
        let mut keys = Vec::new();
        while !rest.is_empty() {
            if self.is_skipping {
                let end = rest.iter().position(ends_sequence);
                self.is_skipping = end.is_none();
                rest = end.map_or(&[], |end| &rest[end + 1..]);
                continue;
            }
            match begin(rest) {
                Begin::Key(length, key) => {
                    keys.extend(key.filter(|_| length <= LONGEST_SEQUENCE));
                    rest = &rest[length..];
                }
                Begin::Unfinished if rest.len() >= LONGEST_SEQUENCE => {
                    self.is_skipping = true;
                    rest = &[];
                }
                Begin::Unfinished => break,
            }
        }
        self.pending.extend_from_slice(rest);
        keys
    }

    /// Whether more may belong to what came last.
    pub(crate) fn is_in_sequence(&self) -> bool {
        self.is_skipping || !self.pending.is_empty()
    }

    /// Nothing more came: an ESC was the key of that name.
    pub(crate) fn end_sequence(&mut self) -> Vec<Key> {
        let pending = std::mem::take(&mut self.pending);
        self.is_skipping = false;
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
    // No character is longer.
    let bytes = bytes.get(..4).unwrap_or(bytes);
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
    let Some(length) = rest.iter().position(ends_sequence) else {
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

fn ends_sequence(byte: &u8) -> bool {
    (0x40..=0x7e).contains(byte)
}

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

    #[test]
    fn a_sequence_that_is_too_long_is_no_key_and_nothing_of_it_is_typed() {
        let long = b"\x1b[1;1;1;1;1;1;1;1qx";
        let mut whole = Keys::default();
        assert_eq!(whole.read(long), [Key::Char('x')]);
        let mut pieces = Keys::default();
        let found: Vec<_> = long.iter().flat_map(|byte| pieces.read(&[*byte])).collect();
        assert_eq!(found, [Key::Char('x')]);
        assert!(!pieces.is_in_sequence());
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_read_alike_in_pieces(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b';')], 0..40),
            cut in 0_usize..40,
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
