//! The lines of a shell script: those that are one plain command, as its words.
//!
//! This knows just enough of sh(1) to tell what it does not know. A line is refused rather than
//! guessed, and where it is not clear how far a construct reaches, so is the rest of the script.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::str::Lines;

/// Words that begin something of several commands.
const OPENERS: [&str; 7] = ["case", "for", "if", "select", "until", "while", "{"];
/// Words that end it, where a command could stand.
const CLOSERS: [&str; 4] = ["done", "esac", "fi", "}"];
/// Words behind which a command stands.
const LEADERS: [&str; 7] = ["!", "do", "elif", "else", "then", "time", "{"];
/// Commands after which a shell does not go on with the script, or not with this one.
const LEAVERS: [&str; 3] = ["exec", "exit", "return"];
/// Words that mean what this module takes them for only if nobody gives them another meaning.
const MEANT: [&str; 6] = ["echo", "export", "ip", "set", "sudo", "sysctl"];

/// A script that is read.
pub(super) struct Shell<'a> {
    lines: Peekable<std::iter::Enumerate<Lines<'a>>>,
    variables: BTreeMap<String, String>,
    functions: BTreeSet<String>,
    /// Of how many constructs the next line is a part.
    depth: usize,
    /// Why nothing more is followed.
    ended: Option<&'static str>,
}

/// A line, continued ones as one.
pub(super) struct Line {
    number: usize,
    text: String,
    /// The words of its command; none for an empty line.
    pub(super) words: Result<Vec<String>, &'static str>,
}

impl Line {
    /// Where it stands, and what it says.
    pub(super) fn origin(&self) -> String {
        format!("line {}: {}", self.number, self.text.trim())
    }
}

/// What a pass over a line finds.
#[derive(Default)]
struct Scan {
    words: Vec<String>,
    refused: Option<&'static str>,
    /// A quote is open, or the line ends where it cannot end.
    goes_on: bool,
    /// It ends with a backslash, which joins it with the next.
    backslash: bool,
    /// The line without what is quoted, expanded or a comment.
    skeleton: String,
}

impl<'a> Shell<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            lines: text.lines().enumerate().peekable(),
            variables: BTreeMap::new(),
            functions: BTreeSet::new(),
            depth: 0,
            ended: None,
        }
    }

    /// The next line that has a command.
    pub(super) fn next_line(&mut self) -> Option<Line> {
        loop {
            let (index, first) = self.lines.next()?;
            let mut text = first.to_owned();
            let mut scan = self.scan(&text);
            // Where nothing is followed any more each line is told of alone.
            while scan.goes_on && self.ended.is_none() {
                let Some((_, more)) = self.lines.next() else {
                    break;
                };
                match scan.backslash {
                    true => drop(text.pop()),
                    false => text.push('\n'),
                }
                text.push_str(more);
                // A quote that is never closed would have the rest scanned again for each line.
                if text.len() > LINE_MAX {
                    self.ended = Some("it follows a line without an end");
                    break;
                }
                scan = self.scan(&text);
            }
            if scan.goes_on && self.ended.is_none() {
                scan.refused = Some("it has no end");
            }
            let words = self.judge(scan, &text);
            let line = Line {
                number: index + 1,
                text,
                words,
            };
            let is_empty = line.words.as_ref().is_ok_and(Vec::is_empty);
            let is_comment = line.text.trim_start().starts_with('#') || line.text.trim().is_empty();
            if !is_empty && !is_comment {
                return Some(line);
            }
        }
    }

    /// Notes that `line` was not followed: whatever it names may be another from now on.
    pub(super) fn not_followed(&mut self, line: &Line) {
        let names: BTreeSet<&str> = line
            .text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let anything = names
            .iter()
            .any(|name| matches!(*name, "eval" | "source") || self.functions.contains(*name));
        if anything || line.text.split_whitespace().any(|word| word == ".") {
            self.variables.clear();
        }
        self.variables
            .retain(|name, _| !names.contains(name.as_str()));
    }

    /// The words of a line, if it is one plain command that surely runs.
    fn judge(&mut self, scan: Scan, text: &str) -> Result<Vec<String>, &'static str> {
        if let Some(why) = self.ended {
            return Err(why);
        }
        let inside = self.depth > 0;
        let before = self.depth;
        let leaves = self.follow_depth(&scan.skeleton);
        if before == 0 && self.depth == 0 && unbalanced(&scan.skeleton) {
            self.ended = Some("it follows brackets over several lines");
        }
        self.skip_here_document(&scan.skeleton, text);
        self.note_functions(&scan.skeleton);
        if leaves && !inside && !scan.skeleton.contains("||") && !scan.skeleton.contains("&&") {
            self.ended = Some("it follows the end of the script");
        }
        if inside || self.depth > 0 {
            return Err("it is part of a condition, a loop or a function");
        }
        if let Some(why) = scan.refused {
            return Err(why);
        }
        self.assign(scan.words)
    }

    /// Takes assignments; the words of whatever else it is.
    fn assign(&mut self, words: Vec<String>) -> Result<Vec<String>, &'static str> {
        let is_export = matches!(
            words.first().map(String::as_str),
            Some("export" | "readonly")
        );
        let rest = &words[usize::from(is_export)..];
        let pairs: Option<Vec<_>> = rest.iter().map(|word| assignment(word)).collect();
        match pairs {
            Some(pairs) if pairs.iter().any(|(name, _)| name == "IFS") => {
                self.ended = Some("it follows another way to take words apart");
                Err("it changes how words are taken apart")
            }
            Some(pairs) if !pairs.is_empty() => {
                self.variables.extend(pairs);
                Ok(Vec::new())
            }
            _ if is_export => Err("it is no plain assignment"),
            _ if words.first().is_some_and(|word| assignment(word).is_some()) => {
                Err("a command with variables of its own")
            }
            _ => Ok(words),
        }
    }

    /// Counts what the line opens and closes; whether the script ends here.
    fn follow_depth(&mut self, skeleton: &str) -> bool {
        let mut leaves = false;
        let mut command = true;
        for word in skeleton.split_inclusive([';', '&', '|', '(', ')', ' ', '\t', '\n']) {
            let separator = word.ends_with([';', '&', '|', '(', ')', '\n']);
            let word = word.trim_end_matches([';', '&', '|', '(', ')', ' ', '\t', '\n']);
            if !word.is_empty() {
                let opens = OPENERS.contains(&word);
                if opens {
                    self.depth += 1;
                } else if command && CLOSERS.contains(&word) {
                    self.depth = self.depth.saturating_sub(1);
                }
                leaves |= command && LEAVERS.contains(&word);
                command = LEADERS.contains(&word);
            }
            command |= separator;
        }
        leaves
    }

    /// Passes over the text that belongs to `<<`, which is no part of the script.
    fn skip_here_document(&mut self, skeleton: &str, text: &str) {
        if !skeleton.contains("<<") {
            return;
        }
        let word = text.split("<<").nth(1).unwrap_or_default();
        let word = word.trim_start_matches('-').split_whitespace().next();
        let end = word.unwrap_or_default().trim_matches(['"', '\'', '\\']);
        let plain = !end.is_empty() && end.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !plain || skeleton.matches("<<").count() > 1 {
            self.ended = Some("it follows a here document");
            return;
        }
        if !self
            .lines
            .by_ref()
            .any(|(_, line)| line.trim_start_matches('\t') == end)
        {
            self.ended = Some("it follows a here document without an end");
        }
    }

    fn note_functions(&mut self, skeleton: &str) {
        let before_brackets = skeleton
            .split("()")
            .next()
            .filter(|_| skeleton.contains("()"));
        let of_keyword = skeleton.split("function ").nth(1);
        let names = [
            before_brackets.and_then(|text| text.split_whitespace().last()),
            of_keyword.and_then(|text| text.split(|c: char| c.is_whitespace() || c == '(').next()),
        ];
        for name in names.into_iter().flatten() {
            self.functions.insert(name.to_owned());
        }
        let words: Vec<_> = skeleton.split([' ', '\t', '=', ';']).collect();
        let renamed = MEANT.iter().any(|name| {
            let alias = words.contains(&"alias") && words.contains(name);
            alias || self.functions.contains(*name)
        });
        if renamed {
            self.ended = Some("it follows another meaning of a command's name");
        }
    }

    fn scan(&self, text: &str) -> Scan {
        Scanner {
            rest: text.chars().peekable(),
            variables: &self.variables,
            scan: Scan::default(),
            word: None,
        }
        .run(text)
    }
}

/// Bytes of a line with its continuations, at most.
const LINE_MAX: usize = 8 * 1024;

fn unbalanced(skeleton: &str) -> bool {
    skeleton.matches('(').count() != skeleton.matches(')').count()
}

/// The parts of `NAME=value`.
fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.chars().all(plain) && name.starts_with(|c: char| !c.is_ascii_digit());
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

struct Scanner<'a> {
    rest: Peekable<std::str::Chars<'a>>,
    variables: &'a BTreeMap<String, String>,
    scan: Scan,
    word: Option<String>,
}

impl Scanner<'_> {
    fn run(mut self, text: &str) -> Scan {
        while let Some(character) = self.rest.next() {
            match character {
                ' ' | '\t' | '\n' => {
                    self.end_word();
                    self.scan.skeleton.push(character);
                }
                '#' if self.word.is_none() => break,
                '\'' => self.single_quoted(),
                '"' => self.double_quoted(),
                '\\' => match self.rest.next() {
                    Some(escaped) => self.quoted(escaped),
                    None => self.backslash(),
                },
                '$' => self.expand(false),
                character => self.plain(character),
            }
        }
        self.end_word();
        let code = self.scan.skeleton.trim_end();
        let is_open = [" &&", " ||", " |"].iter().any(|end| code.ends_with(end));
        // A line inside which a comment is goes on behind it, in theory.
        self.scan.goes_on |= is_open && text.trim_end().ends_with(['&', '|']);
        self.scan
    }

    fn backslash(&mut self) {
        self.scan.goes_on = true;
        self.scan.backslash = true;
    }

    fn end_word(&mut self) {
        self.scan.words.extend(self.word.take());
    }

    fn push(&mut self, character: char) {
        self.word.get_or_insert_default().push(character);
    }

    fn quoted(&mut self, character: char) {
        self.push(character);
        self.scan.skeleton.push('q');
    }

    fn refuse(&mut self, why: &'static str) {
        self.scan.refused.get_or_insert(why);
    }

    fn plain(&mut self, character: char) {
        let at_start = self.word.is_none();
        match character {
            ';' | '&' | '|' => self.refuse("several commands, or a condition"),
            '<' | '>' => self.refuse("it reads or writes a file"),
            '(' | ')' | '`' => self.refuse("it has commands inside"),
            '*' | '?' | '[' => self.refuse("it has a pattern"),
            '{' | '}' => self.refuse("it has braces"),
            '~' | '!' if at_start => self.refuse("it means something else to a shell"),
            _ => {}
        }
        self.push(character);
        self.scan.skeleton.push(character);
    }

    fn single_quoted(&mut self) {
        self.word.get_or_insert_default();
        self.scan.skeleton.push('q');
        for character in self.rest.by_ref() {
            if character == '\'' {
                return;
            }
            self.word.get_or_insert_default().push(character);
        }
        self.scan.goes_on = true;
    }

    fn double_quoted(&mut self) {
        self.word.get_or_insert_default();
        self.scan.skeleton.push('q');
        while let Some(character) = self.rest.next() {
            match character {
                '"' => return,
                '`' => self.refuse("it has commands inside"),
                '$' => self.expand(true),
                '\\' => match self.rest.next() {
                    Some(escaped @ ('$' | '`' | '"' | '\\')) => self.push(escaped),
                    Some('\n') => {}
                    None => self.backslash(),
                    Some(other) => {
                        self.push('\\');
                        self.push(other);
                    }
                },
                character => self.push(character),
            }
        }
        self.scan.goes_on = true;
    }

    /// Puts in the value of a variable that was plainly assigned.
    fn expand(&mut self, quoted: bool) {
        self.scan.skeleton.push('v');
        let braced = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(character) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(character);
        }
        if braced && self.rest.next_if_eq(&'}').is_none() {
            self.refuse("it changes a variable as it uses it");
            // Whatever it is, it ends at the bracket.
            while self.rest.next_if(|c| *c != '}' && *c != '\n').is_some() {}
            self.rest.next_if_eq(&'}');
            return;
        }
        let value = self.variables.get(&name).cloned();
        match value {
            Some(value) => {
                let splits = value.is_empty() || value.contains([' ', '\t', '\n', '*', '?', '[']);
                if splits && !quoted {
                    self.refuse("a variable that a shell would take apart");
                }
                self.word.get_or_insert_default().push_str(&value);
            }
            None if name.is_empty() => self.refuse("it has commands inside"),
            None => self.refuse("a variable whose value is not known"),
        }
    }
}
