//! Mistakes as people read them: the line of the file with a mark under what is wrong.
//!
//! File text goes to a terminal here, so no character that could move its cursor, change its
//! colours or turn its text around is let through. Each is replaced by one visible character,
//! so that the marks stay where they belong.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Source;
use super::diagnostic::{Diagnostic, Severity};
use super::text::{picture, visible};

/// Columns of a report; longer lines are cut around the mark.
const WIDTH: usize = 120;

/// The diagnostics as a person reads them, one after the other with an empty line between.
///
/// `sources` are those that were given to [`load`](super::load). `color` adds ANSI escapes.
pub fn render(sources: &[Source], diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled().hyperlink(false)
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(WIDTH);
    let one = |diagnostic| renderer.render(&[group(sources, diagnostic)]) + "\n";
    diagnostics.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn group<'a>(sources: &[Source], diagnostic: &Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level
        .primary_title(visible(&diagnostic.message))
        .elements(snippets(sources, diagnostic));
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(visible(hint)));
    }
    group
}

/// A mark: which bytes of the file, and what to write next to them.
struct Mark {
    kind: AnnotationKind,
    span: Range<usize>,
    label: Option<String>,
}

/// One snippet a file, the one with the mistake first.
fn snippets<'a>(
    sources: &[Source],
    diagnostic: &Diagnostic,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let primary = Mark {
        kind: AnnotationKind::Primary,
        span: diagnostic.span.clone(),
        label: None,
    };
    let mut files = vec![(diagnostic.file, vec![primary])];
    for related in &diagnostic.related {
        let mark = Mark {
            kind: AnnotationKind::Context,
            span: related.span.clone(),
            label: Some(visible(&related.label)),
        };
        match files.iter_mut().find(|(file, _)| *file == related.file) {
            Some((_, marks)) => marks.push(mark),
            None => files.push((related.file, vec![mark])),
        }
    }
    let known = (files.into_iter()).filter_map(|(file, marks)| Some((sources.get(file)?, marks)));
    known
        .map(|(source, marks)| snippet(source, marks))
        .collect()
}

/// The lines from the first mark to the last; those between that have none are folded.
fn snippet<'a>(
    source: &Source,
    marks: Vec<Mark>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = &source.text;
    let within = |at: usize| text.floor_char_boundary(at);
    let start = marks
        .iter()
        .map(|m| within(m.span.start))
        .min()
        .unwrap_or(0);
    let end = marks.iter().map(|m| within(m.span.end)).max().unwrap_or(0);
    let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let last = text[end..].find('\n').map_or(text.len(), |at| end + at);
    let shown = Shown::new(&text[first..last.max(first)]);
    let line = text[..first].matches('\n').count() + 1;
    let annotations = marks.into_iter().map(|mark| {
        let span = shown.offset(within(mark.span.start) - first)
            ..shown.offset(within(mark.span.end).max(start) - first);
        mark.kind.span(span).label(mark.label)
    });
    Snippet::source(shown.text.clone())
        .line_start(line)
        .path(visible(&source.path))
        .annotations(annotations)
}

/// Text made fit to be shown, and where in it each byte of the original went.
struct Shown {
    text: String,
    offsets: Vec<usize>,
}

impl Shown {
    fn new(original: &str) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut offsets = Vec::with_capacity(original.len() + 1);
        let mut characters = original.chars().peekable();
        while let Some(character) = characters.next() {
            offsets.extend(std::iter::repeat_n(text.len(), character.len_utf8()));
            match character {
                '\n' | '\t' => text.push(character),
                // A line's end, if one follows; there is nothing to see of it.
                '\r' if matches!(characters.peek(), Some('\n') | None) => {}
                // The byte order mark and the joiner have no width.
                '\u{feff}' | '\u{200d}' => {}
                c => text.push(picture(c).unwrap_or(c)),
            }
        }
        offsets.push(text.len());
        Self { text, offsets }
    }

    fn offset(&self, original: usize) -> usize {
        self.offsets
            .get(original)
            .copied()
            .unwrap_or(self.text.len())
    }
}
