//! What is written of each namespace, line by line, and what the lines between namespaces join.
//!
//! A row that something begins or ends at is a port. Veth pairs have a row at each end, forwards one
//! where they listen; forwards that connect to the same address share a row there.

use std::collections::BTreeMap;

use netnsctl_model::desired::Protocol;
use netnsctl_model::name::NetnsRef;

use crate::topology::{Forward, Link, Mark, Marked, Namespace, Tone, Topology};
use crate::words::wrap;

/// Cells of a value's line: an IPv6 address in full with its prefix length.
const VALUE_CELLS: i32 = 43;

/// Cells of a title's line.
const TITLE_CELLS: i32 = 34;

/// Routes of one namespace that are written.
const ROUTES_SHOWN: usize = 6;

/// The cards, and what joins them.
#[derive(Debug, Default)]
pub(crate) struct Diagram {
    /// One for each namespace, in their order.
    pub(crate) cards: Vec<Card>,
    /// Veth pairs, then forwards, each in their order.
    pub(crate) edges: Vec<Edge>,
}

/// All that is written of one namespace.
#[derive(Debug)]
pub(crate) struct Card {
    /// The name, in as many lines as it takes.
    pub(crate) title: Vec<String>,
    /// A word beside the name.
    pub(crate) tag: Option<String>,
    /// Whether it is the namespace the machine booted in.
    pub(crate) is_home: bool,
    /// How its frame is drawn.
    pub(crate) tone: Tone,
    /// By section.
    pub(crate) rows: Vec<Row>,
}

/// The parts of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Links,
    Veths,
    Listen,
    Connect,
    Settings,
    Differences,
}

/// One thing of a namespace: what it is, and what there is to say of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) section: Section,
    pub(crate) label: String,
    pub(crate) tone: Tone,
    pub(crate) lines: Vec<Line>,
    /// Whether a line begins or ends here.
    pub(crate) is_port: bool,
}

/// A line of text, and a word behind it.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    pub(crate) word: Option<String>,
}

/// A row of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Anchor {
    pub(crate) card: usize,
    pub(crate) row: usize,
}

/// What a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From listening to connecting.
    Forward,
    /// Without direction.
    Veth,
}

/// A line between two rows.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) kind: Kind,
    pub(crate) ends: [Anchor; 2],
    pub(crate) tone: Tone,
    /// What it is, in words.
    pub(crate) title: String,
}

/// Writes the cards of `topology`.
pub(crate) fn diagram(topology: &Topology) -> Diagram {
    let mut diagram = Diagram {
        cards: topology.namespaces.iter().map(card).collect(),
        edges: Vec::new(),
    };
    diagram.veths(topology);
    diagram.forwards(topology);
    for (card, namespace) in diagram.cards.iter_mut().zip(&topology.namespaces) {
        card.rows.extend(settings(namespace));
    }
    diagram
}

fn card(namespace: &Namespace) -> Card {
    let is_home = namespace.netns == NetnsRef::Home;
    let home = is_home.then(|| "home".to_owned());
    Card {
        title: wrap(namespace.netns.as_str(), TITLE_CELLS),
        tag: namespace.mark.word().map(str::to_owned).or(home),
        is_home,
        tone: namespace.mark.tone(),
        rows: namespace
            .links
            .iter()
            .map(|link| link_row(Section::Links, link, &Mark::AsDeclared))
            .collect(),
    }
}

/// The row of a link; `mark` is that of the pair it is an end of.
fn link_row(section: Section, link: &Link, mark: &Mark) -> Row {
    let of_link = match link.mark {
        Mark::AsDeclared => mark,
        _ => &link.mark,
    };
    let word = of_link.word().map(str::to_owned);
    let tone = of_link.tone();
    let mut lines: Vec<Line> = link
        .addresses
        .iter()
        .flat_map(|address| marked(address, tone))
        .collect();
    match lines.first_mut() {
        Some(first) if first.word.is_none() => first.word = word,
        _ => lines.insert(
            0,
            Line {
                word,
                tone,
                ..Line::default()
            },
        ),
    }
    for text in link.details.iter().flat_map(|it| wrap(it, VALUE_CELLS)) {
        lines.push(Line {
            text,
            tone: Tone::Muted,
            word: None,
        });
    }
    for difference in &link.differences {
        let text = format!("differs: {difference}");
        let broken = wrap(&text, VALUE_CELLS).into_iter();
        lines.extend(broken.map(|text| Line {
            text,
            tone: Tone::Differs,
            word: None,
        }));
    }
    // A row has a line even if there is nothing to write in it, but no empty one besides others.
    if lines.len() > 1 && lines[0].text.is_empty() && lines[0].word.is_none() {
        lines.remove(0);
    }
    Row {
        section,
        label: link.interface.clone(),
        tone,
        lines,
        is_port: false,
    }
}

/// The lines of `text`, the mark's word behind the last; plain ones take the tone of what they are
/// part of.
fn marked(text: &Marked, whole: Tone) -> Vec<Line> {
    let tone = match text.mark {
        Mark::AsDeclared => whole,
        _ => text.mark.tone(),
    };
    let mut lines: Vec<_> = wrap(&text.text, VALUE_CELLS)
        .into_iter()
        .map(|text| Line {
            text,
            tone,
            word: None,
        })
        .collect();
    if let Some(last) = lines.last_mut() {
        last.word = text.mark.word().map(str::to_owned);
    }
    lines
}

/// What is written below all ports.
fn settings(namespace: &Namespace) -> Vec<Row> {
    let row = |section, label: &str, lines| Row {
        section,
        label: label.to_owned(),
        tone: Tone::Muted,
        lines,
        is_port: false,
    };
    let mut rows = Vec::new();
    if !namespace.forwarding.is_empty() {
        let text = Marked {
            text: namespace.forwarding.join(", "),
            mark: Mark::AsDeclared,
        };
        rows.push(row(
            Section::Settings,
            "forwarding",
            marked(&text, Tone::Muted),
        ));
    }
    let more = match namespace.routes.len().saturating_sub(ROUTES_SHOWN) {
        // Where one more line is needed in any case it may be the route itself.
        0 | 1 => 0,
        more => more,
    };
    // What differs is never among those left out.
    let (marks, plain): (Vec<_>, Vec<_>) = namespace
        .routes
        .iter()
        .partition(|route| route.mark != Mark::AsDeclared);
    let shown = marks.into_iter().chain(plain);
    for route in shown.take(namespace.routes.len() - more) {
        rows.push(row(Section::Settings, "route", marked(route, Tone::Muted)));
    }
    if more > 0 {
        let text = Marked {
            text: format!("and {more} more"),
            mark: Mark::AsDeclared,
        };
        rows.push(row(Section::Settings, "route", marked(&text, Tone::Muted)));
    }
    for (word, entry) in &namespace.entries {
        rows.push(row(Section::Settings, word, marked(entry, Tone::Muted)));
    }
    for difference in &namespace.differences {
        let lines = wrap(difference, VALUE_CELLS).into_iter();
        let lines = lines.map(|text| Line {
            text,
            tone: Tone::Differs,
            word: None,
        });
        let differs = row(Section::Differences, "differs", lines.collect());
        rows.push(Row {
            tone: Tone::Differs,
            ..differs
        });
    }
    rows
}

impl Diagram {
    /// Adds a row that a line begins or ends at.
    fn port(&mut self, card: usize, row: Row) -> Anchor {
        let rows = &mut self.cards[card].rows;
        rows.push(Row {
            is_port: true,
            ..row
        });
        Anchor {
            card,
            row: rows.len() - 1,
        }
    }

    fn veths(&mut self, topology: &Topology) {
        for veth in &topology.veths {
            let ends = [0, 1].map(|end| {
                let end = &veth.ends[end];
                self.port(
                    end.namespace,
                    link_row(Section::Veths, &end.link, &veth.mark),
                )
            });
            let name = |end: usize| {
                let end = &veth.ends[end];
                format!(
                    "{}:{}",
                    topology.namespaces[end.namespace].netns, end.link.interface
                )
            };
            let words = veth.mark.word().map(|word| format!(" ({word})"));
            let differs = veth.ends.iter().any(|end| !end.link.differences.is_empty());
            let tone = match veth.mark.tone() {
                Tone::Plain if differs => Tone::Differs,
                tone => tone,
            };
            self.edges.push(Edge {
                kind: Kind::Veth,
                ends,
                tone,
                title: format!(
                    "veth {} ⇄ {}, mtu {}{}",
                    name(0),
                    name(1),
                    veth.mtu,
                    words.unwrap_or_default()
                ),
            });
        }
    }

    fn forwards(&mut self, topology: &Topology) {
        let listening: Vec<_> = topology
            .forwards
            .iter()
            .map(|forward| self.listen(forward))
            .collect();
        let mut connecting: BTreeMap<(usize, Protocol, &str), Anchor> = BTreeMap::new();
        for (forward, from) in topology.forwards.iter().zip(listening) {
            let Forward {
                protocol,
                listen,
                connect,
                ..
            } = forward;
            let to = *connecting
                .entry((forward.connects_in, *protocol, connect))
                .or_insert_with(|| {
                    let text = format!("{protocol} {connect}");
                    let mark = Mark::AsDeclared;
                    let lines = marked(&Marked { text, mark }, Tone::Plain);
                    self.port(
                        forward.connects_in,
                        forward_row(Section::Connect, "connect", lines),
                    )
                });
            let name = |at: usize| &topology.namespaces[at].netns;
            let (here, there) = (name(forward.listens_in), name(forward.connects_in));
            let words = forward.mark.word().map(|word| format!(" ({word})"));
            let words = words.unwrap_or_default();
            self.edges.push(Edge {
                kind: Kind::Forward,
                ends: [from, to],
                tone: forward.mark.tone(),
                title: format!("{protocol} {here} {listen} → {there} {connect}{words}"),
            });
        }
    }

    /// Adds the row where a forward listens, with what it has carried.
    fn listen(&mut self, forward: &Forward) -> Anchor {
        let text = Marked {
            text: format!("{} {}", forward.protocol, forward.listen),
            mark: forward.mark.clone(),
        };
        let mut lines = marked(&text, forward.mark.tone());
        let traffic = forward
            .traffic
            .iter()
            .flat_map(|text| wrap(text, VALUE_CELLS));
        lines.extend(traffic.map(|text| Line {
            text,
            tone: Tone::Muted,
            word: None,
        }));
        self.port(
            forward.listens_in,
            forward_row(Section::Listen, "listen", lines),
        )
    }
}

fn forward_row(section: Section, label: &str, lines: Vec<Line>) -> Row {
    Row {
        section,
        label: label.to_owned(),
        tone: Tone::Muted,
        lines,
        is_port: true,
    }
}
