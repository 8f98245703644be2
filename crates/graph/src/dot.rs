//! The language of Graphviz: a table for each namespace, whose rows lines begin and end at.

use std::fmt::Write as _;

use crate::card::{Anchor, Card, Diagram, Edge, Kind, Line, Row, diagram};
use crate::escape::xml;
use crate::topology::{Tone, Topology};

pub(crate) fn render(topology: &Topology) -> String {
    let diagram = diagram(topology);
    let mut dot = String::from(
        "digraph netnsctl {\n  rankdir=LR\n  ranksep=1.2\n  nodesep=0.3\n  \
         node [shape=plain, fontname=\"monospace\", fontsize=11]\n  \
         edge [color=\"#51657f\", arrowsize=0.8]\n",
    );
    for (place, card) in diagram.cards.iter().enumerate() {
        let _ = writeln!(dot, "  {} [label=<{}>]", id(&diagram, place), table(card));
    }
    for edge in &diagram.edges {
        let _ = writeln!(dot, "{}", line(&diagram, edge));
    }
    dot.push_str("}\n");
    dot
}

/// What a namespace is called in DOT: its name if nothing in that needs a second look, else its
/// number in a form that no such name has.
fn id(diagram: &Diagram, place: usize) -> String {
    let name = diagram.cards[place].title.concat();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.chars().all(is_plain) {
        format!("\"{name}\"")
    } else {
        format!("\"netns:{place}\"")
    }
}

fn color(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "#1f2733",
        Tone::Muted => "#667085",
        Tone::Missing => "#c4221f",
        Tone::Extra => "#8338b5",
        Tone::Differs => "#a05a00",
    }
}

fn table(card: &Card) -> String {
    let (fill, frame) = match (card.tone, card.is_home) {
        (Tone::Plain, true) => ("#fbefd0", "#d9b76a"),
        (Tone::Plain, false) => ("#e9eef4", "#c4ccd6"),
        (tone, _) => ("#ffffff", color(tone)),
    };
    let style = if card.tone == Tone::Missing {
        "rounded,dashed"
    } else {
        "rounded"
    };
    let title: Vec<_> = card
        .title
        .iter()
        .map(|line| format!("<b>{}</b>", xml(line)))
        .collect();
    let tag = card.tag.as_ref().map(|tag| {
        format!(
            "  <font color=\"{}\">{}</font>",
            color(tone_of_tag(card)),
            xml(tag)
        )
    });
    let mut table = format!(
        "<table border=\"1\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"4\" color=\"{frame}\" \
         style=\"{style}\"><tr><td colspan=\"2\" align=\"left\" bgcolor=\"{fill}\">{}{}</td></tr>",
        title.join("<br align=\"left\"/>"),
        tag.unwrap_or_default(),
    );
    let mut order: Vec<_> = (0..card.rows.len()).collect();
    order.sort_by_key(|row| card.rows[*row].section);
    for row in order {
        table.push_str(&table_row(&card.rows[row], row));
    }
    table.push_str("</table>");
    table
}

fn tone_of_tag(card: &Card) -> Tone {
    match card.tone {
        Tone::Plain => Tone::Muted,
        tone => tone,
    }
}

/// A row of two cells. A port has a name on both, as lines come from either side.
fn table_row(row: &Row, number: usize) -> String {
    let port = |side: char| match row.is_port {
        true => format!(" port=\"{side}{number}\""),
        false => String::new(),
    };
    let text = |text: &str, tone: Tone| match text {
        // An empty font is a syntax error.
        "" => String::new(),
        text => format!("<font color=\"{}\">{}</font>", color(tone), xml(text)),
    };
    let line = |line: &Line| {
        let tone = if line.tone == Tone::Plain {
            row.tone
        } else {
            line.tone
        };
        let word = line
            .word
            .as_deref()
            .map(|word| format!(" {}", text(word, tone)));
        format!(
            "{}{}<br align=\"left\"/>",
            text(&line.text, line.tone),
            word.unwrap_or_default()
        )
    };
    let lines: String = row.lines.iter().map(line).collect();
    format!(
        "<tr><td align=\"left\" valign=\"top\"{}>{}</td><td align=\"left\" balign=\"left\"{}>{lines}</td></tr>",
        port('l'),
        text(&row.label, row.tone),
        port('r'),
    )
}

fn line(diagram: &Diagram, edge: &Edge) -> String {
    let [from, to] = edge.ends;
    let end = |anchor: Anchor, side: char| {
        format!("{}:\"{side}{}\"", id(diagram, anchor.card), anchor.row)
    };
    let mut attributes = match edge.kind {
        Kind::Forward => "color=\"#0b6bcb\"".to_owned(),
        Kind::Veth => "dir=none".to_owned(),
    };
    if edge.tone != Tone::Plain {
        let _ = write!(
            attributes,
            ", color=\"{0}\", fontcolor=\"{0}\"",
            color(edge.tone)
        );
    }
    match edge.tone {
        Tone::Missing => attributes.push_str(", style=dashed"),
        Tone::Extra => attributes.push_str(", style=bold"),
        _ => {}
    }
    format!(
        "  {} -> {} [{attributes}, tooltip=\"{}\"]",
        end(from, 'r'),
        end(to, 'l'),
        xml(&edge.title).replace('\\', "\\\\"),
    )
}
