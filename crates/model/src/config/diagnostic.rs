//! Mistakes, and where they are.
//!
//! Decoders hand a [`Place`] and a message to the [`Report`]; lines and columns are counted once,
//! at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Source;
use super::text::visible;
use crate::name::is_control;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted, but hardly meant that way.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in a text as editors count it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters; a byte order mark is not counted.
    pub column: usize,
}

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Index of the file among the sources.
    pub file: usize,
    /// Bytes of the file's text that are to blame; never more than one line.
    pub span: Range<usize>,
    /// Where the span starts.
    pub start: Position,
    /// Where the span ends: the position behind its last character.
    pub end: Position,
    /// What is wrong, in one line; names and values in it are quoted and escaped.
    pub message: String,
    /// What would have been right.
    pub hint: Option<String>,
    /// Other places that play a part.
    pub related: Vec<Related>,
}

/// A place that plays a part in a mistake made elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Index of the file among the sources.
    pub file: usize,
    /// Bytes of the file's text.
    pub span: Range<usize>,
    /// Where the span starts.
    pub start: Position,
    /// What is there.
    pub label: String,
}

impl Diagnostic {
    /// All of it in one line, for logs: `PATH:LINE:COLUMN: error: MESSAGE (HINT)`. `sources` are
    /// those that were given to [`load`](super::load).
    pub fn one_line(&self, sources: &[Source]) -> String {
        let path = sources.get(self.file).map_or("", |source| &source.path);
        let Position { line, column } = self.start;
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})"));
        let hint = hint.unwrap_or_default();
        let (severity, message) = (self.severity.as_str(), &self.message);
        visible(&format!(
            "{path}:{line}:{column}: {severity}: {message}{hint}"
        ))
    }

    /// Says what would have been right.
    pub(super) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Points at another place.
    pub(super) fn related(&mut self, place: Place, label: impl Into<String>) -> &mut Self {
        self.related.push(Related {
            file: place.file,
            span: place.range(),
            start: Position::default(),
            label: label.into(),
        });
        self
    }
}

/// Bytes of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: usize,
    start: usize,
    end: usize,
}

impl Place {
    pub(super) fn new(file: usize, range: Range<usize>) -> Self {
        Self {
            file,
            start: range.start,
            end: range.end,
        }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// Collects mistakes.
pub(super) struct Report<'s> {
    sources: &'s [Source],
    diagnostics: Vec<Diagnostic>,
    /// Per file: whether it could not be understood in full.
    broken: Vec<bool>,
    /// Which of the diagnostics are about syntax.
    syntax: Vec<usize>,
    /// What is written here is not what was meant; all that can be said of it is said already.
    muddled: Vec<Place>,
    /// Places that are read for several namespaces: a mistake there is reported once.
    repeated: BTreeSet<Place>,
    /// How many errors there are.
    errors: usize,
    /// How many more mistakes may be compared with all names.
    suggestions: usize,
}

/// Mistakes whose hint names the most similar of all declared names. Each looks at every name, so
/// without a limit a file of mistakes would take a time that grows with its square.
const SUGGESTIONS: usize = 20;

impl<'s> Report<'s> {
    pub(super) fn new(sources: &'s [Source]) -> Self {
        Self {
            sources,
            diagnostics: Vec::new(),
            broken: vec![false; sources.len()],
            syntax: Vec::new(),
            muddled: Vec::new(),
            repeated: BTreeSet::new(),
            errors: 0,
            suggestions: SUGGESTIONS,
        }
    }

    /// Whether one more mistake may be compared with all declared names.
    pub(super) fn may_suggest(&mut self) -> bool {
        let left = self.suggestions.checked_sub(1);
        self.suggestions = left.unwrap_or(0);
        left.is_some()
    }

    pub(super) fn sources(&self) -> &'s [Source] {
        self.sources
    }

    /// What is written at `place`, for messages.
    pub(super) fn text(&self, place: Place) -> &'s str {
        let text = self.sources[place.file].text.get(place.range());
        text.unwrap_or_default()
    }

    pub(super) fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, place, message.into())
    }

    pub(super) fn warning(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, place, message.into())
    }

    /// An error in the syntax itself: the file is not understood in full.
    pub(super) fn syntax(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.broken(place.file);
        self.syntax.push(self.diagnostics.len());
        self.add(Severity::Error, place, message.into())
    }

    /// Notes that part of `file` is not understood, so that nothing is said to be missing from it.
    pub(super) fn broken(&mut self, file: usize) {
        self.broken[file] = true;
    }

    /// Notes that nothing but mistakes in the syntax is to be told of `place`.
    pub(super) fn muddled(&mut self, place: Place) {
        self.muddled.push(place);
    }

    /// Notes that what is at `places` is read for several namespaces.
    pub(super) fn repeated(&mut self, places: impl IntoIterator<Item = Place>) {
        self.repeated.extend(places);
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    pub(super) fn is_broken(&self, file: usize) -> bool {
        self.broken[file]
    }

    pub(super) fn any_broken(&self) -> bool {
        self.broken.contains(&true)
    }

    /// Refuses characters that would make a terminal or an editor show something else than what
    /// is written, wherever they are: in comments too.
    fn control_characters(&mut self) {
        for (file, source) in self.sources.iter().enumerate() {
            let mut told = self.spans_of(file).into_iter().peekable();
            // Where what is already reported ends, and which line has its message.
            let (mut told_until, mut line, mut line_told) = (0, 0, None);
            for (at, character) in source.text.char_indices().filter(|(_, c)| is_control(*c)) {
                line += usize::from(character == '\n');
                while let Some(span) = told.next_if(|span| span.start <= at) {
                    told_until = told_until.max(span.end);
                }
                let is_told = at < told_until || line_told == Some(line);
                if matches!(character, '\n' | '\r' | '\t') || is_told {
                    continue;
                }
                line_told = Some(line);
                let place = Place::new(file, at..at + character.len_utf8());
                let shown = character.escape_default();
                self.error(place, format!("there is a control character here, {shown}"))
                    .hint("it changes how the text around it is shown; take it away");
            }
        }
    }

    /// The spans of what is reported of a file, in order.
    fn spans_of(&self, file: usize) -> Vec<Range<usize>> {
        let of_file = self.diagnostics.iter().filter(|it| it.file == file);
        let mut spans: Vec<_> = of_file.map(|it| it.span.clone()).collect();
        spans.sort_unstable_by_key(|span| span.start);
        spans
    }

    fn add(&mut self, severity: Severity, place: Place, message: String) -> &mut Diagnostic {
        self.errors += usize::from(severity == Severity::Error);
        self.diagnostics.push(Diagnostic {
            severity,
            file: place.file,
            span: place.range(),
            start: Position::default(),
            end: Position::default(),
            message,
            hint: None,
            related: Vec::new(),
        });
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// The diagnostics in order, and whether one of them is an error.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, bool) {
        self.control_characters();
        let repetitions = self.repetitions();
        let lines: Vec<_> = self.sources.iter().map(|s| Lines::new(&s.text)).collect();
        for diagnostic in &mut self.diagnostics {
            let of_file = &lines[diagnostic.file];
            diagnostic.span = of_file.clamp(&diagnostic.span);
            diagnostic.start = of_file.position(diagnostic.span.start);
            diagnostic.end = of_file.position(diagnostic.span.end);
            for related in &mut diagnostic.related {
                related.span = lines[related.file].clamp(&related.span);
                related.start = lines[related.file].position(related.span.start);
            }
        }
        self.drop_consequences(&repetitions);
        let key = |d: &Diagnostic| (d.file, d.span.start, d.span.end, d.severity);
        self.diagnostics
            .sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message)));
        self.diagnostics.dedup();
        let failed = self.broken.contains(&true)
            || (self.diagnostics.iter()).any(|d| d.severity == Severity::Error);
        (self.diagnostics, failed)
    }

    /// Of several diagnostics about one place that is read for several namespaces, all but the
    /// first error, or but the first warning where there is no error.
    fn repetitions(&self) -> BTreeSet<usize> {
        let place = |it: &Diagnostic| Place::new(it.file, it.span.clone());
        let mut by_place: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, it) in self.diagnostics.iter().enumerate() {
            if self.repeated.contains(&place(it)) {
                let of_place = by_place.entry(place(it)).or_default();
                of_place.push((it.severity, index));
            }
        }
        let repetitions = by_place.into_values().flat_map(|mut all| {
            all.sort_unstable();
            all.into_iter().skip(1).map(|(_, index)| index)
        });
        repetitions.collect()
    }

    /// Removes what is reported of places where the syntax is wrong, other than that: it would only
    /// follow from it. Removes the repetitions too.
    fn drop_consequences(&mut self, repetitions: &BTreeSet<usize>) {
        let mut index = 0;
        self.diagnostics.retain(|d| {
            let syntax = self.syntax.contains(&index);
            let is_repetition = repetitions.contains(&index);
            index += 1;
            let covers = |p: &Place| p.file == d.file && p.range().contains(&d.span.start);
            syntax || !is_repetition && !self.muddled.iter().any(covers)
        });
    }
}

/// Where the lines of a text start.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(after).collect();
        Self { text, starts }
    }

    /// `span` moved to where it can be sliced, and cut where its first line ends: a table may go
    /// on for pages, and its opening says which one it is.
    fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.ceil_char_boundary(span.end.max(start));
        let first = self.text[start..end].lines().next().unwrap_or_default();
        start..start + first.len()
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line.saturating_sub(1)];
        let before = self.text[start..offset].trim_start_matches('\u{feff}');
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }
}
