use proptest::prelude::*;

use super::super::{Format, Loaded, Severity, Source, load, render};
use crate::name::is_control;
use crate::testing::{desired, to_json, to_toml};

/// Loads, prints, and checks what holds of any text whatsoever.
fn sound(sources: &[Source]) -> Loaded {
    let loaded = load(sources);
    let error = |d: &super::super::Diagnostic| d.severity == Severity::Error;
    assert_eq!(
        loaded.desired.is_none(),
        loaded.diagnostics.iter().any(error)
    );
    for diagnostic in &loaded.diagnostics {
        let spans = diagnostic.related.iter().map(|r| (r.file, &r.span));
        for (file, span) in spans.chain([(diagnostic.file, &diagnostic.span)]) {
            let marked = sources[file].text.get(span.clone());
            assert!(marked.is_some_and(|text| !text.contains('\n')), "{span:?}");
        }
        assert!(diagnostic.start.line >= 1 && diagnostic.start.column >= 1);
        assert!(
            !diagnostic.message.contains(is_control),
            "{:?}",
            diagnostic.message
        );
    }
    let printed = render(sources, &loaded.diagnostics, false);
    let bad = |c: char| is_control(c) && c != '\n';
    assert!(!printed.contains(bad), "{printed:?}");
    render(sources, &loaded.diagnostics, true);
    loaded
}

/// The text with some pieces cut out, doubled, or replaced.
fn mutated(text: String, cuts: &[(u16, u8, u8)]) -> String {
    const PIECES: [&str; 12] = [
        "\"",
        "[",
        "]",
        "{",
        "}",
        "=",
        "\n",
        "\u{1b}[2J",
        "\u{202e}",
        "#",
        "10.0.0.1",
        "\r",
    ];
    let mut text = text;
    for (at, length, what) in cuts {
        let start = text.floor_char_boundary(usize::from(*at) % (text.len() + 1));
        let end = text.floor_char_boundary(start + usize::from(*length));
        let piece = match PIECES.get(usize::from(*what) % (PIECES.len() + 2)) {
            Some(piece) => (*piece).to_owned(),
            None if what % 2 == 0 => text[start..end].repeat(2),
            None => String::new(),
        };
        text.replace_range(start..end, &piece);
    }
    text
}

fn cuts() -> impl Strategy<Value = Vec<(u16, u8, u8)>> {
    prop::collection::vec((any::<u16>(), 0..40_u8, any::<u8>()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        sound(&[Source::new("a.toml", Format::Toml, text.as_str()), Source::new("b.json", Format::Json, text)]);
    }

    #[test]
    fn any_bytes_are_answered(bytes in any::<Vec<u8>>()) {
        sound(&[Source::from_bytes("a.toml", Format::Toml, &bytes), Source::from_bytes("b.json", Format::Json, &bytes)]);
    }

    #[test]
    fn any_likely_text_is_answered(text in "([a-z.]{0,5}|netns|\\[|\\]|\\[\\[|=|\"|\\{|\\}|,|:|\n|\r\n| |1|veth|forward|listen|\u{feff}|日){0,60}") {
        sound(&[Source::new("a.toml", Format::Toml, text.as_str()), Source::new("b.json", Format::Json, text)]);
    }

    #[test]
    fn any_slip_is_answered(state in desired(), cuts in cuts()) {
        let (toml, json) = (mutated(to_toml(&state), &cuts), mutated(to_json(&state), &cuts));
        sound(&[Source::new("a.toml", Format::Toml, toml)]);
        sound(&[Source::new("b.json", Format::Json, json)]);
    }

    #[test]
    fn what_is_written_is_read_back(state in desired()) {
        for source in [Source::new("a.toml", Format::Toml, to_toml(&state)), Source::new("b.json", Format::Json, to_json(&state))] {
            let loaded = sound(std::slice::from_ref(&source));
            let printed = render(std::slice::from_ref(&source), &loaded.diagnostics, false);
            prop_assert_eq!(loaded.desired, Some(state.clone()), "{}\n{}", source.text, printed);
        }
    }
}
