//! The pages as Markdown, for the book in docs/ and for whoever has a wiki.
//!
//! Reads the mdoc(7) that the pages are, so that there is one text of each. It knows the macros that
//! ours have, which a test sees to, and leaves every other mark of roff to man(1).

use std::fmt::Write as _;

use super::Page;

/// Macros that are about the page as a whole and leave nothing here.
const SILENT: &[&str] = &["Dd", "Dt", "Os"];

/// Lines of the configuration's page that have a line of their own, for the eye to find.
const LABELS: &[&str] = &["Default: ", "Refused: ", "Example: ", "Must be given."];

/// A page in Markdown. References lead to files beside it if `pages` has them.
pub(super) fn markdown(page: &Page, pages: &[Page]) -> String {
    let title = format!("{}({})", page.name, page.section);
    let mut writer = Writer {
        pages,
        page,
        text: format!("# {}\n", escape(&title)),
        filled: String::new(),
        head: None,
        is_synopsis: false,
        depth: 0,
    };
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with(".\\\"") {
            continue;
        }
        if line.starts_with(".Bd ") {
            let shown = lines.by_ref().take_while(|line| *line != ".Ed");
            let shown: Vec<_> = shown.map(unescape).collect();
            writer.literal(&shown);
        } else {
            writer.line(line);
        }
    }
    writer.end();
    writer.text
}

struct Writer<'a> {
    pages: &'a [Page],
    page: &'a Page,
    text: String,
    /// The paragraph that is being filled.
    filled: String,
    /// What the next paragraph begins with, in a list: what its text is about.
    head: Option<String>,
    /// What can be typed is shown as a block, not as running text.
    is_synopsis: bool,
    /// In how many lists.
    depth: usize,
}

impl Writer<'_> {
    fn line(&mut self, line: &str) {
        let Some(call) = line.strip_prefix('.') else {
            let text = unescape(line);
            let begins = |label: &&&str| text.starts_with(**label);
            if self.depth > 0 && !self.filled.is_empty() && LABELS.iter().any(|it| begins(&it)) {
                self.filled.push_str("\\\n  ");
            }
            self.fill(&escape(&text));
            return;
        };
        let words = words(call);
        let Some((name, rest)) = words.split_first() else {
            return;
        };
        let plain = || rest.iter().map(|it| it.text.as_str()).collect::<Vec<_>>();
        match name.text.as_str() {
            "Sh" => self.section(&plain().join(" ")),
            "Ss" => self.heading(3, &plain().join(" ")),
            "Nd" => {
                let about = capital(&plain().join(" "));
                self.fill(&format!("{}.", escape(&about)));
                self.end();
            }
            "Nm" if self.text.ends_with(")\n") => {}
            "Pp" => self.end(),
            "Bl" => {
                self.end();
                self.depth += 1;
            }
            "El" => {
                self.end();
                self.depth = self.depth.saturating_sub(1);
            }
            "It" => {
                self.end();
                self.head = Some(self.inline(rest));
            }
            "Dl" => self.literal(&[plain().join(" ")]),
            silent if SILENT.contains(&silent) => {}
            _ if self.is_synopsis && self.depth == 0 => {
                let shown = self.typed(&words);
                self.fill(&shown);
            }
            _ => {
                let shown = self.inline(&words);
                self.fill(&shown);
            }
        }
    }

    fn section(&mut self, name: &str) {
        self.end();
        self.is_synopsis = name == "SYNOPSIS";
        if name != "NAME" {
            self.heading(2, &capital(&name.to_lowercase()));
        }
    }

    fn heading(&mut self, level: usize, text: &str) {
        self.end();
        let _ = write!(self.text, "\n{} {}\n", "#".repeat(level), escape(text));
    }

    fn fill(&mut self, text: &str) {
        let attaches = self.filled.is_empty() || self.filled.ends_with(' ');
        self.filled.push_str(if attaches { "" } else { " " });
        self.filled.push_str(text);
    }

    /// Ends the paragraph or the item of a list.
    fn end(&mut self) {
        let filled = std::mem::take(&mut self.filled);
        let head = self.head.take();
        if filled.is_empty() && head.is_none() {
            return;
        }
        if self.is_synopsis && self.depth == 0 {
            self.literal(&[filled]);
            return;
        }
        match head {
            Some(head) if head.is_empty() => drop(write!(self.text, "\n- {filled}\n")),
            Some(head) if filled.is_empty() => drop(write!(self.text, "\n- {head}\n")),
            Some(head) => drop(write!(self.text, "\n- {head}\\\n  {filled}\n")),
            None if self.depth > 0 => drop(write!(self.text, "\n  {filled}\n")),
            None => drop(write!(self.text, "\n{filled}\n")),
        }
    }

    /// Lines as they are, set off.
    fn literal(&mut self, lines: &[String]) {
        self.end();
        let first = lines.first().map(String::as_str).unwrap_or_default();
        let language =
            if first.starts_with("$ ") || first.starts_with("# ") && self.page.section != 5 {
                "console"
            } else if self.page.section == 5 && lines.len() > 1 {
                "toml"
            } else {
                "text"
            };
        let _ = write!(self.text, "\n```{language}\n{}\n```\n", lines.join("\n"));
    }

    /// What a line of macros shows in running text.
    fn inline(&self, words: &[Word]) -> String {
        let mut shown = String::new();
        let mut rest = words;
        let mut joins = true;
        let mut closing = Vec::new();
        let mut last = None;
        while let Some((word, behind)) = rest.split_first() {
            rest = behind;
            if word.is_punctuation() {
                shown.push_str(&word.text);
                continue;
            }
            if matches!(word.macro_name(), Some("Ns" | "Op" | "Pq" | "Dq" | "Xr")) {
                last = None;
            }
            match word.macro_name() {
                Some("Ns") => {
                    joins = true;
                    continue;
                }
                Some(pair @ ("Op" | "Pq" | "Dq")) => {
                    separate(&mut shown, &mut joins);
                    let (open, close) = enclosure(pair);
                    shown.push_str(open);
                    joins = true;
                    closing.push(close);
                    continue;
                }
                Some("Xr") => {
                    separate(&mut shown, &mut joins);
                    let taken = rest.len().min(2);
                    shown.push_str(&self.reference(&rest[..taken]));
                    rest = &rest[taken..];
                    continue;
                }
                _ => {}
            }
            separate(&mut shown, &mut joins);
            // Behind punctuation a macro goes on.
            let Some(name) = word.macro_name().or(last) else {
                shown.push_str(&escape(&word.text));
                continue;
            };
            let own = usize::from(word.macro_name().is_none());
            let from = &words[words.len() - behind.len() - own..];
            let end = (from.iter()).position(|it| it.is_punctuation() || it.macro_name().is_some());
            let (arguments, behind) = from.split_at(end.unwrap_or(from.len()));
            rest = behind;
            last = Some(name);
            shown.push_str(&marked(name, arguments, &self.page.name));
        }
        // What encloses, such as Dq, ends before the punctuation at the end of its line.
        let dots = shown.len() - shown.trim_end_matches(['.', ',', ';', ':']).len();
        let dots = if closing.is_empty() { 0 } else { dots };
        let tail = shown.split_off(shown.len() - dots);
        closing.iter().rev().for_each(|close| shown.push_str(close));
        shown + &tail
    }

    /// What a line of macros shows where it is told what can be typed: nothing is marked.
    fn typed(&self, words: &[Word]) -> String {
        let mut shown = Vec::new();
        let mut closes = false;
        let mut is_flag = false;
        for word in words {
            match word.macro_name() {
                Some("Op") => closes = true,
                Some("Fl") => is_flag = true,
                Some("Nm") if words.len() == 1 => shown.push(self.page.name.clone()),
                Some(_) => {}
                None => {
                    let dash = if std::mem::take(&mut is_flag) {
                        "-"
                    } else {
                        ""
                    };
                    shown.push(format!("{dash}{}", word.text));
                }
            }
        }
        let shown = shown.join(" ");
        if closes { format!("[{shown}]") } else { shown }
    }

    fn reference(&self, words: &[Word]) -> String {
        let [name, section] = words else {
            return String::new();
        };
        let shown = format!("{}({})", name.text, section.text);
        let is_it = |it: &&Page| it.name == name.text && it.section.to_string() == section.text;
        match self.pages.iter().find(is_it) {
            Some(page) => format!("[{}]({}.md)", escape(&shown), page.file_name()),
            None => escape(&shown),
        }
    }
}

/// What stands around the arguments of a macro.
fn enclosure(name: &str) -> (&'static str, &'static str) {
    match name {
        "Op" => ("\\[", "\\]"),
        "Pq" => ("(", ")"),
        _ => ("\"", "\""),
    }
}

/// Puts a space before the next word, unless it joins what is there.
fn separate(shown: &mut String, joins: &mut bool) {
    if !std::mem::take(joins) {
        shown.push(' ');
    }
}

/// The arguments of a macro, marked for what they are.
fn marked(name: &str, arguments: &[Word], page: &str) -> String {
    let words: Vec<_> = arguments.iter().map(|it| it.text.as_str()).collect();
    match name {
        "Ar" => format!("*{}*", escape(&words.join(" "))),
        "Fl" => code(&format!("-{}", words.join(" "))),
        "Nm" if words.is_empty() => code(page),
        _ => code(&words.join(" ")),
    }
}

/// A word of a line of macros.
struct Word {
    text: String,
    /// It was in quotes or guarded, and is no macro and no punctuation.
    is_text: bool,
}

impl Word {
    fn is_punctuation(&self) -> bool {
        !self.is_text && matches!(self.text.as_str(), "." | "," | ":" | ";" | ")" | "?" | "!")
    }

    /// Which macro this calls, of those that can be called within a line.
    fn macro_name(&self) -> Option<&str> {
        const CALLED: &[&str] = &[
            "Ar", "Cm", "Dq", "Ev", "Fl", "Ic", "Nm", "Ns", "Op", "Pa", "Pq", "Ql", "Xr",
        ];
        let text = self.text.as_str();
        (!self.is_text && CALLED.contains(&text)).then_some(text)
    }
}

fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(Word {
            text: unescape(word),
            is_text: rest.starts_with('"') || word.starts_with("\\&"),
        });
        rest = behind.trim_start();
    }
    words
}

/// What roff would show.
fn unescape(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        shown.push_str(before);
        let named = [
            ("e", "\\"),
            ("(dq", "\""),
            ("(aq", "'"),
            ("(ga", "`"),
            ("(ti", "~"),
            ("(ha", "^"),
            ("-", "-"),
            ("&", ""),
        ];
        let found = named.iter().find(|(name, _)| behind.starts_with(name));
        rest = match found {
            Some((name, character)) => {
                shown.push_str(character);
                &behind[name.len()..]
            }
            None => match by_number(behind) {
                Some((character, behind)) => {
                    shown.push(character);
                    behind
                }
                None => behind,
            },
        };
    }
    shown + rest
}

/// `[u00FC]`, and what is behind it.
fn by_number(text: &str) -> Option<(char, &str)> {
    let (number, behind) = text.strip_prefix("[u")?.split_once(']')?;
    let character = char::from_u32(u32::from_str_radix(number, 16).ok()?)?;
    Some((character, behind))
}

/// Text in which Markdown finds nothing to mark.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if matches!(
            character,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '|' | '#'
        ) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn code(text: &str) -> String {
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

/// The text with a capital letter in front.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let page = |name: &str, section, text: &str| Page {
            name: name.to_owned(),
            section,
            text: text.to_owned(),
        };
        let pages = [page("netnsctl", 7, ""), page("netnsctl-x", 1, text)];
        let shown = markdown(&pages[1], &pages);
        shown.strip_prefix("# netnsctl-x(1)\n").unwrap().to_owned()
    }

    #[test]
    fn words_are_marked_and_pages_linked() {
        assert_eq!(
            shown("See\n.Ic run ,\n.Xr netnsctl 7\nand\n.Ic up Ns s.\n.Xr ip 8 .\n"),
            "\nSee `run`, [netnsctl(7)](netnsctl.7.md) and `up`s. ip(8).\n"
        );
        assert_eq!(shown("called\n.Dq default .\n"), "\ncalled \"default\".\n");
        assert_eq!(
            shown(".Fl \\-sandbox Ar PID , Fl h\n"),
            "\n`--sandbox` *PID*, `-h`\n"
        );
    }

    #[test]
    fn nothing_in_a_text_is_obeyed() {
        assert_eq!(shown(".\\\" To ourselves.\nB.\n"), "\nB.\n");
        assert_eq!(shown(".Pa a* , b*\n"), "\n`a*`, `b*`\n");
        assert_eq!(
            shown("\\&.Sh \\efB *x* _y_ [z]\n"),
            "\n.Sh \\\\fB \\*x\\* \\_y\\_ \\[z\\]\n"
        );
        assert_eq!(shown("a\\[u00FC]\\(dqb\\(dq\n"), "\naü\"b\"\n");
    }

    #[test]
    fn what_can_be_typed_is_a_block() {
        let page = ".Sh SYNOPSIS\n.Nm netnsctl\n.Cm up\n.Op Fl \\-prune\n.Op Fl \\-part Ar PART\n.Op Ar NAMES ...\n.Sh DESCRIPTION\nA.\n";
        let wanted = "\n## Synopsis\n\n```text\nnetnsctl up [--prune] [--part PART] [NAMES ...]\n```\n\n## Description\n\nA.\n";
        assert_eq!(shown(page), wanted);
    }

    #[test]
    fn lists_name_what_their_text_is_about() {
        let page =
            ".Bl -tag -width Ds\n.It Ic mtu Pq integer from 68\nBytes.\nDefault: 1400.\n.El\n";
        assert_eq!(
            shown(page),
            "\n- `mtu` (integer from 68)\\\n  Bytes.\\\n  Default: 1400.\n"
        );
    }

    /// A macro that is new in a page is to be thought of here.
    #[test]
    fn every_macro_of_the_pages_is_known() {
        let known = "Ar Bd Bl Cm Dd Dl Dq Dt Ed El Ev Fl Ic It Nd Nm Op Os Pa Pp Ql Sh Ss Xr";
        let known: Vec<_> = known.split(' ').collect();
        let mut count = 0;
        for page in super::super::pages() {
            for line in page.text.lines().filter(|line| line.starts_with('.')) {
                let name = line[1..].split(' ').next().unwrap();
                let is_known = known.contains(&name) || name.starts_with('\\');
                assert!(is_known, "{}: {line}", page.name);
                count += 1;
            }
        }
        assert!(count > 500, "{count}");
    }
}
