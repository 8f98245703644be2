//! Messages of D-Bus, as far as a few calls of systemd's manager need them.
//!
//! Little-endian, protocol version 1; values are aligned to their size, structures to 8 bytes.
//! Source: <https://dbus.freedesktop.org/doc/dbus-specification.html>.

/// Bytes of a message before its header fields: four single ones, two numbers, and the length of
/// those fields.
pub(super) const FIXED: usize = 16;

/// Bytes a message may have, of which the specification allows more. A unit is described in some
/// hundred.
const MESSAGE_MAX: usize = 16 * 1024 * 1024;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Values in the making.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: usize) {
        self.align(4);
        // What is written here is as long as a few names.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.bytes.extend(number.to_le_bytes());
    }

    pub(super) fn string(&mut self, text: &str) {
        self.number(text.len());
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    pub(super) fn strings(&mut self, texts: &[&str]) {
        self.number(0);
        let start = self.bytes.len();
        texts.iter().for_each(|text| self.string(text));
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }

    fn signature(&mut self, text: &str) {
        self.bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn field(&mut self, code: u8, kind: &str, text: &str) {
        self.align(8);
        self.bytes.push(code);
        self.signature(kind);
        match kind {
            "g" => self.signature(text),
            _ => self.string(text),
        }
    }
}

/// What is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    /// Of the arguments.
    pub(super) signature: &'a str,
}

/// The message that calls `call` with the arguments in `body`.
pub(super) fn call(serial: u32, call: Call<'_>, body: &Writer) -> Vec<u8> {
    let mut message = Writer::default();
    message.bytes.extend([b'l', METHOD_CALL, 0, 1]);
    message.number(body.bytes.len());
    message.bytes.extend(serial.to_le_bytes());
    message.number(0);
    message.field(PATH, "o", call.path);
    message.field(DESTINATION, "s", "org.freedesktop.systemd1");
    message.field(INTERFACE, "s", call.interface);
    message.field(MEMBER, "s", call.member);
    message.field(SIGNATURE, "g", call.signature);
    let fields = u32::try_from(message.bytes.len() - FIXED).unwrap_or(u32::MAX);
    message.bytes[12..FIXED].copy_from_slice(&fields.to_le_bytes());
    message.align(8);
    message.bytes.extend(&body.bytes);
    message.bytes
}

/// Bytes of the whole message that begins with `fixed`; none if it is none that can be read here.
pub(super) fn length(fixed: &[u8; FIXED]) -> Option<usize> {
    if fixed[0] != b'l' || fixed[3] != 1 {
        return None;
    }
    let number = |at: usize| {
        let bytes = [fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]];
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let fields = number(12)?.checked_next_multiple_of(8)?;
    let length = FIXED.checked_add(fields)?.checked_add(number(4)?)?;
    (length <= MESSAGE_MAX).then_some(length)
}

/// An answer to a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// The values returned.
    Values(&'a [u8]),
    /// The name of an error, and its words.
    Error(String, String),
    /// A message that answers another call or none.
    Other,
}

/// Reads a whole message that may answer the call `serial`; none if it is malformed.
pub(super) fn answer(message: &[u8], serial: u32) -> Option<Answer<'_>> {
    let mut reader = Reader::new(message);
    reader.at = 12;
    let fields_end = FIXED + reader.number()?;
    let (mut replies_to, mut error) = (None, String::new());
    // A field that goes beyond the end of the fields is malformed.
    reader.bytes = message.get(..fields_end)?;
    while reader.at < fields_end {
        reader.align(8);
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (REPLY_SERIAL, "u") => replies_to = Some(reader.number()?),
            (ERROR_NAME, "s") => reader.string()?.clone_into(&mut error),
            (_, "s" | "o") => drop(reader.string()?),
            (_, "u") => drop(reader.number()?),
            (_, "g") => drop(reader.signature()?),
            _ => return None,
        }
    }
    let body = message.get(fields_end.next_multiple_of(8)..)?;
    if replies_to.is_none_or(|replies_to| u32::try_from(replies_to) != Ok(serial)) {
        return Some(Answer::Other);
    }
    match message[1] {
        METHOD_RETURN => Some(Answer::Values(body)),
        ERROR => {
            let words = Reader::new(body).string().unwrap_or_default();
            Some(Answer::Error(error, words.to_owned()))
        }
        _ => Some(Answer::Other),
    }
}

/// Reads values one after the other; none where there is no such value.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn number(&mut self) -> Option<usize> {
        self.align(4);
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    pub(super) fn string(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        self.text(length)
    }

    pub(super) fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        self.text(length)
    }

    /// UTF-8 without a NUL in it and with one after it, as the specification wants of every text.
    fn text(&mut self, length: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.byte()? == 0 && !text.contains('\0')).then_some(text)
    }

    /// The end of an array that begins here, of values aligned to `align`.
    fn array_end(&mut self, align: usize) -> Option<usize> {
        let length = self.number()?;
        self.align(align);
        let end = self.at.checked_add(length)?;
        (end <= self.bytes.len()).then_some(end)
    }

    /// An array, each value of which `read` reads.
    pub(super) fn array<T>(
        &mut self,
        align: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let end = self.array_end(align)?;
        let mut values = Vec::new();
        while self.at < end {
            self.align(align);
            values.push(read(self)?);
        }
        (self.at == end).then_some(values)
    }
}

/// A reply to the call `serial` that returns an array of strings.
fn reply(serial: u32, texts: &[&str]) -> Vec<u8> {
    let mut body = Writer::default();
    body.strings(texts);
    let mut message = Writer::default();
    message.bytes.extend([b'l', METHOD_RETURN, 1, 1]);
    message.number(body.bytes.len());
    message.number(1);
    message.number(0);
    message.align(8);
    message.bytes.extend([REPLY_SERIAL, 1, b'u', 0]);
    message.bytes.extend(serial.to_le_bytes());
    message.field(SIGNATURE, "g", "as");
    let fields = u32::try_from(message.bytes.len() - FIXED).unwrap_or(u32::MAX);
    message.bytes[12..FIXED].copy_from_slice(&fields.to_le_bytes());
    message.align(8);
    message.bytes.extend(&body.bytes);
    message.bytes
}

/// Entry for fuzzing: any bytes as a message of systemd and as the values in one, and any texts as
/// what systemd returns.
#[doc(hidden)]
pub fn fuzz_messages(serial: u32, bytes: &[u8], texts: &[&str]) {
    if let Some(fixed) = bytes.first_chunk() {
        let length = length(fixed);
        assert!(length.is_none_or(|length| (FIXED..=MESSAGE_MAX).contains(&length)));
    }
    match answer(bytes, serial) {
        Some(Answer::Values(body)) => {
            assert!(bytes.ends_with(body));
            fuzz_values(body);
        }
        Some(Answer::Error(name, words)) => assert!(name.len() + words.len() <= bytes.len()),
        Some(Answer::Other) | None => {}
    }
    fuzz_values(bytes);
    // The same bytes after a header that is right.
    let empty = reply(serial, &[]);
    let message = [&empty[..empty.len() - 4], bytes].concat();
    assert_eq!(answer(&message, serial), Some(Answer::Values(bytes)));
    let message = reply(serial, texts);
    let fixed = message.first_chunk();
    assert_eq!(fixed.and_then(length), Some(message.len()));
    let is_text = !texts.iter().any(|text| text.contains('\0'));
    let body = match answer(&message, serial) {
        Some(Answer::Values(body)) => body,
        _ => &[],
    };
    let strings = Reader::new(body).array(4, |reader| reader.string());
    assert_eq!(strings, is_text.then(|| texts.to_vec()));
    assert_eq!(
        answer(&message, serial.wrapping_add(1)),
        Some(Answer::Other)
    );
}

/// No value is longer than the bytes that it is read from, and no text has a NUL.
fn fuzz_values(body: &[u8]) {
    let strings = crate::strings(&mut Reader::new(body)).unwrap_or_default();
    let units = crate::units(&mut Reader::new(body)).unwrap_or_default();
    let command = crate::command(&mut Reader::new(body)).unwrap_or_default();
    let units = units
        .into_iter()
        .flat_map(crate::Unit::into_texts)
        .collect();
    for texts in [strings, units, command] {
        assert!(texts.iter().map(|text| text.len() + 5).sum::<usize>() <= body.len());
        assert!(!texts.iter().any(|text| text.contains('\0')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_by_whom_it_answers() {
        let message = reply(7, &["a", "bcd"]);
        let fixed = message[..FIXED].try_into().unwrap();
        assert_eq!(length(&fixed), Some(message.len()));
        let Some(Answer::Values(body)) = answer(&message, 7) else {
            panic!("{:?}", answer(&message, 7));
        };
        let strings = Reader::new(body).array(4, |reader| reader.string());
        assert_eq!(strings, Some(vec!["a", "bcd"]));
        assert_eq!(answer(&message, 8), Some(Answer::Other));
    }

    #[test]
    fn what_is_cut_off_or_changed_is_none_and_harms_nobody() {
        let message = reply(7, &["a", "bcd"]);
        for end in 0..message.len() {
            let cut = &message[..end];
            if end > FIXED
                && let Some(Answer::Values(body)) = answer(cut, 7)
            {
                assert_eq!(Reader::new(body).array(4, |reader| reader.string()), None);
            }
        }
        for at in 0..message.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = message.clone();
                changed[at] = value;
                let _ = length(&changed[..FIXED].try_into().unwrap());
                if let Some(Answer::Values(body)) = answer(&changed, 7) {
                    let _ = Reader::new(body).array(4, |reader| reader.string());
                }
            }
        }
    }

    #[test]
    fn a_value_that_goes_beyond_its_end_is_malformed() {
        // The string of four bytes begins inside an array of four, and ends outside.
        let body = [4, 0, 0, 0, 4, 0, 0, 0, b'a', b'b', b'c', b'd', 0];
        assert_eq!(Reader::new(&body).array(4, |reader| reader.string()), None);
        let message = reply(7, &["abc"]);
        let fields = message[12];
        // The last field, which tells the signature, takes eight bytes.
        for cut in 1..8 {
            let mut message = message.clone();
            message[12] = fields - cut;
            assert!(
                !matches!(answer(&message, 7), Some(Answer::Values(_))),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_text_ends_in_its_only_nul() {
        let read = |body: &[u8]| Reader::new(body).string().map(str::to_owned);
        assert_eq!(read(b"\x02\0\0\0ab\0"), Some("ab".to_owned()));
        assert_eq!(read(b"\x02\0\0\0abc"), None);
        assert_eq!(read(b"\x02\0\0\0a\0\0"), None);
        assert_eq!(Reader::new(b"\x01sx").signature(), None);
    }

    #[test]
    fn a_call_is_as_long_as_it_says() {
        let mut body = Writer::default();
        body.string("netns-office.service");
        let to = Call {
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            member: "StopUnit",
            signature: "ss",
        };
        body.string("replace");
        let message = call(3, to, &body);
        assert_eq!(
            length(&message[..FIXED].try_into().unwrap()),
            Some(message.len())
        );
        assert!(message.ends_with(b"replace\0"));
        assert_eq!(answer(&message, 3), Some(Answer::Other));
    }
}
