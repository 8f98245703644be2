//! mdoc(7): text that means itself, filled lines, sentences that begin on a line of their own.

/// Columns of an input line; `mandoc -T lint` asks for fewer than 80.
const COLUMNS: usize = 78;

/// When the pages last changed in more than what they are generated from.
const DATE: &str = "November 23, 2026";

/// Text that is to be read, never to be obeyed.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\e"),
            '"' => escaped.push_str("\\(dq"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '~' => escaped.push_str("\\(ti"),
            '^' => escaped.push_str("\\(ha"),
            '-' => escaped.push_str("\\-"),
            c if c.is_ascii() => escaped.push(c),
            c => escaped.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    escaped
}

/// The same as one argument of a macro.
pub(super) fn argument(text: &str) -> String {
    // A delimiter alone would be taken for punctuation.
    let guard = if text.len() == 1 || text.starts_with('.') {
        "\\&"
    } else {
        ""
    };
    let text = escape(text);
    if text.contains(' ') {
        format!("\"{guard}{text}\"")
    } else {
        format!("{guard}{text}")
    }
}

/// A page in the making.
pub(super) struct Mdoc {
    text: String,
}

impl Mdoc {
    /// A page with its head and its NAME.
    pub(super) fn new(name: &str, section: u8, about: &str) -> Self {
        let title = name.to_uppercase();
        let about = about.trim_end_matches('.');
        let text = format!(
            ".Dd {DATE}\n.Dt {title} {section}\n.Os\n.Sh NAME\n.Nm {name}\n.Nd {}\n",
            plain(about)
        );
        Self { text }
    }

    /// A line that begins with a macro. Its arguments are as they have to be.
    pub(super) fn line(&mut self, line: &str) -> &mut Self {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    /// Running text: words in backticks are what can be typed, `name(5)` is another page.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        let mut line = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Word(word) => {
                    let word = guarded(&word, line.is_empty());
                    if !line.is_empty() && line.len() + 1 + word.len() > COLUMNS {
                        self.end(&mut line);
                    }
                    if !line.is_empty() {
                        line.push(' ');
                    }
                    line.push_str(&word);
                    if ends_sentence(&word) {
                        self.end(&mut line);
                    }
                }
                Piece::Macro(call) => {
                    self.end(&mut line);
                    self.line(&call);
                }
            }
        }
        self.end(&mut line);
        self
    }

    /// Lines as they are, set off.
    pub(super) fn literal<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.line(".Bd -literal -offset indent");
        for line in lines {
            let line = escape(line);
            let guard = if line.starts_with('.') { "\\&" } else { "" };
            self.line(&format!("{guard}{line}"));
        }
        self.line(".Ed")
    }

    /// SEE ALSO, in the order of sections and names.
    pub(super) fn see_also(&mut self, pages: &[(&str, u8)]) -> &mut Self {
        let mut pages = pages.to_vec();
        pages.sort_by_key(|(name, section)| (*section, *name));
        self.line(".Sh SEE ALSO");
        for (n, (name, section)) in pages.iter().enumerate() {
            let comma = if n + 1 < pages.len() { " ," } else { "" };
            self.line(&format!(".Xr {name} {section}{comma}"));
        }
        self
    }

    /// The whole page.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn end(&mut self, line: &mut String) {
        if !line.is_empty() {
            let line = std::mem::take(line);
            self.line(&line);
        }
    }
}

/// Running text without macros in it.
pub(super) fn plain(text: &str) -> String {
    escape(&text.replace('`', ""))
}

/// A part of running text.
enum Piece {
    /// A word, escaped.
    Word(String),
    /// A line with a macro.
    Macro(String),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    // Every second part was between backticks.
    for (n, part) in text.split('`').enumerate() {
        if n % 2 == 1 {
            let words: Vec<_> = part.split(' ').map(argument).collect();
            pieces.push(Piece::Macro(format!(".Ic {}", words.join(" "))));
            continue;
        }
        let mut rest = part;
        if n > 0 && !part.starts_with(char::is_whitespace) {
            let end = part.find(char::is_whitespace).unwrap_or(part.len());
            let (behind, others) = part.split_at(end);
            attach(&mut pieces, behind);
            rest = others;
        }
        pieces.extend(rest.split_whitespace().map(piece));
    }
    pieces
}

/// Puts what stands right behind a macro into its line.
fn attach(pieces: &mut [Piece], behind: &str) {
    let Some(Piece::Macro(call)) = pieces.last_mut() else {
        return;
    };
    if behind.is_empty() {
        return;
    }
    if behind.chars().all(|c| ".,:;?!)".contains(c)) {
        behind.chars().for_each(|c| call.extend([' ', c]));
    } else {
        call.push_str(&format!(" Ns {}", argument(behind)));
    }
}

/// A word, or another page.
fn piece(word: &str) -> Piece {
    let end = word.trim_end_matches([',', '.', ';', ':', ')']);
    let reference = word.split_once('(').and_then(|(name, rest)| {
        let (section, behind) = rest.split_once(')')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        let known = matches!(section, "1" | "2" | "3" | "4" | "5" | "7" | "8");
        let is_punctuation = behind.chars().all(|c| ".,:;)".contains(c));
        (known && is_punctuation && !name.is_empty() && name.chars().all(is_name))
            .then_some((name, section, behind))
    });
    match reference {
        Some((name, section, behind)) if !end.is_empty() => {
            let behind: String = behind.chars().flat_map(|c| [' ', c]).collect();
            Piece::Macro(format!(".Xr {name} {section}{behind}"))
        }
        _ => Piece::Word(escape(word)),
    }
}

/// No word may look like a macro where a line begins.
fn guarded(word: &str, first: bool) -> String {
    if first && word.starts_with('.') || word.starts_with('\'') {
        format!("\\&{word}")
    } else {
        word.to_owned()
    }
}

/// Whether the next word begins a sentence, and has to begin a line.
fn ends_sentence(word: &str) -> bool {
    let word = word.trim_end_matches([')', ']']);
    let word = word.strip_suffix("\\(dq").unwrap_or(word);
    word.ends_with(['.', '!', '?']) && !word.ends_with("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose(text: &str) -> String {
        let mut page = Mdoc {
            text: String::new(),
        };
        page.prose(text);
        page.finish()
    }

    #[test]
    fn nothing_in_a_text_is_obeyed() {
        assert_eq!(prose(".Sh \\fB 'x' -y"), "\\&.Sh \\efB \\(aqx\\(aq \\-y\n");
        assert_eq!(prose("ü"), "\\[u00FC]\n");
        let mut page = Mdoc {
            text: String::new(),
        };
        page.literal([".Ed", "a\\b"]);
        assert_eq!(
            page.finish(),
            ".Bd -literal -offset indent\n\\&.Ed\na\\eb\n.Ed\n"
        );
    }

    #[test]
    fn words_and_pages_are_marked() {
        assert_eq!(
            prose("See `run`, resolv.conf(5) and `up`s. A second (resolv.conf)."),
            "See\n.Ic run ,\n.Xr resolv.conf 5\nand\n.Ic up Ns s.\nA second (resolv.conf).\n"
        );
    }

    #[test]
    fn lines_end_where_sentences_do_or_are_full() {
        assert_eq!(
            prose("One. Two \"three.\" Four"),
            "One.\nTwo \\(dqthree.\\(dq\nFour\n"
        );
        let long = prose(&"word ".repeat(40));
        assert!(long.lines().count() > 2);
        assert!(long.lines().all(|line| line.len() <= COLUMNS));
    }
}
