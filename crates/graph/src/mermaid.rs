//! The language of Mermaid, as GitHub, GitLab and many wikis draw it in Markdown.
//!
//! Its flowcharts have no rows to begin a line at, so what joins namespaces is written on the lines.

use std::fmt::Write as _;

use crate::escape::mermaid;
use crate::topology::{Forward, Link, Mark, Marked, Namespace, Tone, Topology, Veth};

/// What tones look like. Without a colour for plain ones they follow the page's theme.
const CLASSES: &[(Tone, &str, &str)] = &[
    (
        Tone::Missing,
        "missing",
        "stroke:#c4221f,stroke-dasharray:5 4",
    ),
    (Tone::Extra, "extra", "stroke:#8338b5,stroke-width:2px"),
    (Tone::Differs, "differs", "stroke:#a05a00,stroke-width:2px"),
];

pub(crate) fn render(topology: &Topology) -> String {
    let mut text = String::from("flowchart LR\n");
    for (place, namespace) in topology.namespaces.iter().enumerate() {
        let (open, close) = match namespace.netns.name() {
            // Home has round ends.
            None => ("([", "])"),
            Some(_) => ("[", "]"),
        };
        let label = namespace_lines(namespace).join("<br/>");
        let _ = writeln!(text, "  n{place}{open}\"{label}\"{close}");
    }
    let mut tones = Vec::new();
    for veth in &topology.veths {
        let [near, far] = &veth.ends;
        let label = veth_lines(veth).join("<br/>");
        let line = if veth.mark.tone() == Tone::Missing {
            "-.-"
        } else {
            "---"
        };
        let _ = writeln!(
            text,
            "  n{} {line}|\"{label}\"| n{}",
            near.namespace, far.namespace
        );
        let differs = veth.ends.iter().any(|end| !end.link.differences.is_empty());
        tones.push(match veth.mark.tone() {
            Tone::Plain if differs => Tone::Differs,
            tone => tone,
        });
    }
    for forward in &topology.forwards {
        let label = forward_lines(forward).join("<br/>");
        let line = if forward.mark.tone() == Tone::Missing {
            "-.->"
        } else {
            "-->"
        };
        let _ = writeln!(
            text,
            "  n{} {line}|\"{label}\"| n{}",
            forward.listens_in, forward.connects_in
        );
        tones.push(forward.mark.tone());
    }
    styles(&mut text, topology, &tones);
    text
}

/// Colours of what differs: namespaces by class, lines by number.
fn styles(text: &mut String, topology: &Topology, lines: &[Tone]) {
    for (tone, name, style) in CLASSES {
        let of = topology.namespaces.iter().enumerate();
        let named: Vec<_> = of
            .filter(|(_, namespace)| namespace.mark.tone() == *tone)
            .map(|(place, _)| format!("n{place}"))
            .collect();
        if !named.is_empty() {
            let _ = writeln!(
                text,
                "  classDef {name} {style}\n  class {} {name}",
                named.join(",")
            );
        }
        let numbers: Vec<_> = lines
            .iter()
            .enumerate()
            .filter(|(_, of)| *of == tone)
            .map(|(number, _)| number.to_string())
            .collect();
        if !numbers.is_empty() {
            let _ = writeln!(text, "  linkStyle {} {style}", numbers.join(","));
        }
    }
}

fn word(mark: &Mark) -> String {
    let word = mark.word().map(|word| format!(" ({})", mermaid(word)));
    word.unwrap_or_default()
}

fn marked(marked: &Marked) -> String {
    format!("{}{}", mermaid(&marked.text), word(&marked.mark))
}

fn namespace_lines(namespace: &Namespace) -> Vec<String> {
    let mut lines = vec![format!(
        "<b>{}</b>{}",
        mermaid(namespace.netns.as_str()),
        word(&namespace.mark)
    )];
    lines.extend(namespace.links.iter().map(|of| link(of, &of.mark)));
    lines.extend(
        namespace
            .routes
            .iter()
            .map(|route| format!("route {}", marked(route))),
    );
    let entries = namespace.entries.iter();
    lines.extend(entries.map(|(word, entry)| format!("{word} {}", marked(entry))));
    let differences = namespace.differences.iter();
    lines.extend(differences.map(|difference| format!("differs: {}", mermaid(difference))));
    lines
}

/// A link's name, addresses and differences.
fn link(link: &Link, mark: &Mark) -> String {
    let mut words = vec![format!("{}{}", mermaid(&link.interface), word(mark))];
    words.extend(link.addresses.iter().map(marked));
    words.extend(link.details.iter().map(|it| mermaid(it)));
    words.extend(
        link.differences
            .iter()
            .map(|words| format!("differs: {}", mermaid(words))),
    );
    words.join(" ")
}

fn veth_lines(veth: &Veth) -> Vec<String> {
    let [near, far] = &veth.ends;
    let mut lines = vec![
        format!("{} ⇄", link(&near.link, &Mark::AsDeclared)),
        link(&far.link, &Mark::AsDeclared),
    ];
    lines.extend(veth.mark.word().map(|word| format!("({})", mermaid(word))));
    lines
}

fn forward_lines(forward: &Forward) -> Vec<String> {
    let mut lines = vec![
        format!("{} {} →", forward.protocol, mermaid(&forward.listen)),
        format!("{}{}", mermaid(&forward.connect), word(&forward.mark)),
    ];
    lines.extend(forward.traffic.iter().map(|traffic| mermaid(traffic)));
    lines
}
