//! What is so in every picture.

use std::collections::BTreeSet;

use netnsctl_graph::{Format, Topology, render};
use netnsctl_model::desired::Desired;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::testing;
use proptest::prelude::*;

use crate::picture::{self, Picture, Rect};
use crate::shapes;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn pictures_of_any_declaration_are_legible(desired in testing::desired()) {
        check(&desired);
    }

    #[test]
    fn mermaid_of_any_declaration_has_each_thing_once(desired in testing::desired()) {
        let text = render(&Topology::new(&desired, None, None), Format::Mermaid);
        let lines = |mark: &str| text.lines().filter(|line| line.contains(mark)).count();
        prop_assert_eq!(lines(" ---|\""), desired.veths.len(), "{}", text);
        prop_assert_eq!(lines(" -->|\""), desired.all_forwards().count(), "{}", text);
        for line in text.lines().skip(1) {
            // Text is between one pair of quotes, and nothing in it ends it.
            prop_assert_eq!(line.matches('"').count(), 2, "{}", line);
            prop_assert!(!line.contains('`'), "{}", line);
        }
    }
}

#[test]
fn pictures_of_known_shapes_are_legible() {
    for (_, text) in shapes::all() {
        check(&shapes::declared(&text));
    }
}

/// Draws a declaration and looks at the picture.
pub(crate) fn check(desired: &Desired) {
    let topology = Topology::new(desired, None, None);
    let svg = render(&topology, Format::Svg);
    assert_eq!(svg, render(&topology, Format::Svg));
    let picture = picture::read(&svg);
    legible(&picture);
    complete(desired, &picture);
    for foreign in [
        "<script",
        "href",
        "url(",
        "@import",
        "<foreignObject",
        " on",
    ] {
        let outside_text: String = svg.lines().filter(|line| !line.contains("<t")).collect();
        assert!(!outside_text.contains(foreign), "{foreign} in {svg}");
    }
}

/// Nothing lies on anything else, and nothing is outside.
fn legible(picture: &Picture) {
    let (width, height) = picture.size;
    let paper = Rect {
        x: 0.0,
        y: 0.0,
        width,
        height,
    };
    for (at, card) in picture.cards.iter().enumerate() {
        assert!(paper.holds(card), "{card:?}");
        for other in &picture.cards[at + 1..] {
            assert!(!card.overlaps(other), "{card:?} {other:?}");
        }
        for line in &picture.lines {
            assert!(!line.crosses(card), "{} crosses {card:?}", line.title);
        }
    }
    for (at, text) in picture.texts.iter().enumerate() {
        assert!(paper.holds(&text.place), "{text:?}");
        let inside = picture
            .cards
            .iter()
            .filter(|card| card.overlaps(&text.place));
        // In the card it belongs to, with room around it; the legend is in none.
        assert!(inside.clone().count() <= 1, "{text:?}");
        for card in inside {
            let roomy = Rect {
                x: card.x + 8.0,
                width: card.width - 16.0,
                ..*card
            };
            assert!(roomy.holds(&text.place), "{text:?} in {card:?}");
        }
        for other in &picture.texts[at + 1..] {
            assert!(!text.place.overlaps(&other.place), "{text:?} {other:?}");
        }
        for line in &picture.lines {
            assert!(
                !line.crosses(&text.place),
                "{} crosses {text:?}",
                line.title
            );
        }
    }
    for line in &picture.lines {
        assert!(line.is_within(&paper), "{line:?}");
    }
}

/// Everything declared is there, once.
fn complete(desired: &Desired, picture: &Picture) {
    let mut wanted: Vec<String> = Vec::new();
    for pair in &desired.veths {
        let name =
            |end: &netnsctl_model::desired::VethEnd| format!("{}:{}", end.netns, end.interface);
        wanted.push(format!(
            "veth {} ⇄ {}, mtu {}",
            name(&pair.near),
            name(&pair.far),
            pair.mtu
        ));
    }
    for (netns, _, forward) in desired.all_forwards() {
        let (listen, connect) = (&forward.listen, &forward.connect);
        wanted.push(format!(
            "{} {netns} {listen} → {} {connect}",
            forward.protocol, forward.netns
        ));
    }
    let mut drawn: Vec<_> = picture
        .lines
        .iter()
        .map(|line| line.title.clone())
        .collect();
    wanted.sort();
    drawn.sort();
    assert_eq!(drawn, wanted);
    let forwards = picture
        .lines
        .iter()
        .filter(|line| line.class.contains("forward"));
    // The legend has a head of its own.
    let legend = usize::from(desired.all_forwards().next().is_some());
    assert_eq!(picture.heads.len(), forwards.count() + legend);
    let texts: BTreeSet<_> = picture
        .texts
        .iter()
        .map(|text| text.text.as_str())
        .collect();
    let all: String = picture
        .texts
        .iter()
        .map(|text| text.text.as_str())
        .collect();
    for (name, netns) in &desired.netns {
        // A long name is cut into lines, at spaces among others.
        let without_spaces = |text: &str| text.replace(' ', "");
        assert!(
            without_spaces(&all).contains(&without_spaces(name.as_str())),
            "{name}"
        );
        assert!(texts.contains(netns.holder.interface.as_str()), "{name}");
        for address in &netns.holder.address {
            assert!(texts.contains(address.to_string().as_str()), "{address}");
        }
    }
}

#[test]
fn nothing_declared_is_a_picture_too() {
    let desired = Desired::default();
    let topology = Topology::new(&desired, None, None);
    assert_eq!(render(&topology, Format::Mermaid), "flowchart LR\n");
    assert!(render(&topology, Format::Dot).ends_with("}\n"));
    let picture = picture::read(&render(&topology, Format::Svg));
    assert!(picture.cards.is_empty() && picture.lines.is_empty());
}

#[test]
fn of_named_ones_only_what_they_are_joined_to_is_drawn() {
    let ring = shapes::all()
        .into_iter()
        .find(|(name, _)| *name == "ring of 12")
        .unwrap();
    let desired = shapes::declared(&ring.1);
    let only = BTreeSet::from([NetnsRef::Named(NetnsName::parse("r03").unwrap())]);
    let topology = Topology::new(&desired, None, Some(&only));
    let names: Vec<_> = topology
        .namespaces
        .iter()
        .map(|netns| netns.netns.to_string())
        .collect();
    assert_eq!(names, ["r02", "r03", "r04"]);
    assert_eq!(topology.veths.len(), 2);
    // Of the others only what joins them is shown.
    let links: Vec<_> = topology
        .namespaces
        .iter()
        .map(|netns| netns.links.len())
        .collect();
    assert_eq!(links, [0, 1, 0]);
}
