//! The model and what is drawn of it, without a terminal or a kernel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netnsctl_forward::{Counters, Reasons};
use netnsctl_model::desired::Protocol;
use netnsctl_model::plan::Verb;
use netnsctl_netlink::{Flow, Traffic};
use proptest::prelude::*;
use ratatui_core::backend::TestBackend;
use ratatui_core::layout::Rect;
use ratatui_core::style::Color;
use ratatui_core::terminal::Terminal;

use super::model::{Action, Extent, Model, Next};
use super::rates::{Both, Rates};
use super::sample::Sample;
use super::table::{Id, Tab};
use super::view;
use crate::published::ForwardKey;
use crate::status::ForwardState;
use crate::status::wire::{Drift, Forward, Link, Netns, Nscd, Process, Report, Veth};

const SECOND: Duration = Duration::from_secs(1);

fn link(interface: &str, kind: &str, address: &str) -> Link {
    Link {
        interface: interface.to_owned(),
        kind: Some(kind.to_owned()),
        up: true,
        carrier: true,
        mtu: 1400,
        mac: Some("02:00:00:00:00:01".to_owned()),
        values: Default::default(),
        addresses: vec![address.to_owned()],
        declared: true,
        extra_addresses: Vec::new(),
    }
}

fn netns(name: &str) -> Netns {
    Netns {
        name: name.to_owned(),
        state: "up",
        declared: true,
        inode: Some(4_026_532_000),
        holder: Some(link(name, "dummy", "10.20.0.1/24")),
        veths: vec![Veth {
            link: link("host", "veth", "192.168.77.2/30"),
            peer_netns: Some("default".to_owned()),
            peer_interface: Some(name.to_owned()),
        }],
        links: Vec::new(),
        other_links: Vec::new(),
        routes: vec!["default via 192.168.77.1".to_owned()],
        entries: Vec::new(),
        sysctl_differs: Vec::new(),
        forwards: Vec::new(),
        nscd: Nscd {
            enabled: true,
            socket: format!("/run/netns-{name}/nscd/socket"),
            running: Some(true),
            error: None,
        },
        processes: vec![Process {
            pid: 4242,
            command: "evil\u{1b}[2J\u{202e}name".to_owned(),
        }],
        stale_services: Vec::new(),
        drift: Vec::new(),
        problems: Vec::new(),
        waiting: Vec::new(),
    }
}

fn key(protocol: Protocol) -> ForwardKey {
    ForwardKey {
        listen_netns: "office".to_owned(),
        protocol,
        listen: "127.0.0.1:8080".to_owned(),
        netns: "default".to_owned(),
        connect: "127.0.0.1:80".parse().unwrap(),
    }
}

fn forward(protocol: Protocol) -> Forward {
    let key = key(protocol);
    Forward {
        number: 1,
        protocol,
        listen: key.listen,
        netns: key.netns,
        connect: key.connect,
        running: Some(true),
        error: None,
        counters: None,
    }
}

fn traffic(name: &str, bytes: u64) -> Traffic {
    let flow = |bytes| Flow {
        bytes,
        packets: bytes / 100,
        errors: 0,
        dropped: 3,
    };
    Traffic {
        index: 2,
        name: name.to_owned(),
        received: flow(bytes),
        sent: flow(bytes * 2),
    }
}

/// Two namespaces, one of which is not as declared, and a third of somebody else's, `second`
/// seconds after some moment that never was.
fn sample(start: Instant, second: u64) -> Sample {
    let mut office = netns("office");
    office.forwards = vec![forward(Protocol::Tcp), forward(Protocol::Udp)];
    let mut lab = netns("lab");
    lab.drift = vec![Drift {
        change: Verb::Add,
        description: "address 10.20.0.2/24 on lab".to_owned(),
    }];
    let report = Report {
        serve: None,
        netns: vec![lab, office],
        home_forwards: Vec::new(),
        unmanaged: vec!["podman-1".to_owned()],
        ..Report::default()
    };
    let mut links = BTreeMap::new();
    for (netns, names, bytes) in [
        ("office", ["office", "host", "lo"], 150_000),
        ("lab", ["lab", "host", "lo"], 700),
        ("default", ["office", "lab", "none"], 0),
        ("podman-1", ["eth0", "none", "lo"], 1_000_000),
    ] {
        for name in names.into_iter().filter(|name| *name != "none") {
            let key = (netns.to_owned(), name.to_owned());
            links.insert(key, traffic(name, bytes * second));
        }
    }
    let mut counters = Counters::default();
    counters.tcp.connections_now = 7;
    counters.tcp.connections_ever = 100 + 5 * second;
    counters.tcp.bytes_to_target = 2_000_000 * second;
    counters.tcp.connect_errors = Reasons::from([("ECONNREFUSED".into(), 12)]);
    let forwards = BTreeMap::from([
        (key(Protocol::Tcp), ForwardState::Runs(counters)),
        (key(Protocol::Udp), ForwardState::DoesNotRun),
    ]);
    Sample {
        at: start + SECOND * u32::try_from(second).unwrap(),
        report: Arc::new(report),
        links,
        forwards,
        trouble: None,
    }
}

fn model() -> Model {
    let start = Instant::now();
    let mut model = Model::new(SECOND);
    model.absorb(sample(start, 1));
    model.absorb(sample(start, 2));
    model
}

/// What is drawn on a terminal of that size.
fn drawn(model: &mut Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut extent = Extent::default();
    terminal
        .draw(|frame| extent = view::draw(model, frame.buffer_mut(), true))
        .unwrap();
    model.fit(extent);
    let area = Rect::new(0, 0, width, height);
    let buffer = terminal.backend().buffer();
    let line = |y| {
        let cells = area.columns().map(|column| buffer[(column.x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(|y| line(y) + "\n").collect()
}

fn press(model: &mut Model, actions: &[Action]) {
    for action in actions {
        assert_eq!(model.apply(*action), Next::Continue);
    }
}

fn names(model: &Model) -> Vec<String> {
    let rows = model.rows().iter();
    rows.map(|row| row.cells[0].show()).collect()
}

#[test]
fn tables_look_like_this() {
    let mut text = String::new();
    for tab in Tab::ALL {
        let mut model = model();
        press(&mut model, &[Action::Show(tab)]);
        for (width, height) in [(100, 12), (60, 8), (20, 5)] {
            text += &format!("{width} x {height}\n{}", drawn(&mut model, width, height));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn details_look_like_this() {
    let mut text = String::new();
    for (tab, rows) in [(Tab::Netns, 3), (Tab::Links, 1), (Tab::Forwards, 2)] {
        for row in 0..rows {
            let mut model = model();
            press(&mut model, &[Action::Show(tab)]);
            drawn(&mut model, 90, 40);
            press(&mut model, &vec![Action::Down; row]);
            press(&mut model, &[Action::Enter]);
            text += &drawn(&mut model, 90, 40).replace("\n\n", "\n");
            text += "\n";
        }
    }
    let mut narrow = model();
    press(
        &mut narrow,
        &[Action::Filter, Action::Type('o'), Action::Type('f')],
    );
    press(&mut narrow, &[Action::Enter, Action::Enter]);
    text += &drawn(&mut narrow, 24, 16);
    insta::assert_snapshot!(text);
}

#[test]
fn help_and_what_is_typed_look_like_this() {
    let mut model = model();
    press(&mut model, &[Action::Help]);
    let mut text = drawn(&mut model, 60, 16);
    press(&mut model, &[Action::Back, Action::Pause, Action::Filter]);
    press(
        &mut model,
        &"lab".chars().map(Action::Type).collect::<Vec<_>>(),
    );
    text += &drawn(&mut model, 60, 8);
    press(&mut model, &[Action::Enter]);
    text += &drawn(&mut model, 90, 8);
    insta::assert_snapshot!(text);
}

#[test]
fn nothing_of_an_outsiders_words_is_obeyed() {
    let mut model = model();
    press(&mut model, &[Action::Down, Action::Enter]);
    let text = drawn(&mut model, 100, 60);
    assert!(text.contains("evil\u{fffd}[2J\u{fffd}name"), "{text}");
}

#[test]
fn rates_are_differences_over_time() {
    let start = Instant::now();
    let (before, mut after) = (sample(start, 1), sample(start, 3));
    let rates = Rates::between(&before, &after);
    let office = ("office".to_owned(), "host".to_owned());
    let wanted = Both {
        there: 150_000.0,
        back: 300_000.0,
    };
    assert_eq!(rates.links[&office].bytes, wanted);
    let tcp = rates.forwards[&key(Protocol::Tcp)];
    assert_eq!((tcp.begun, tcp.bytes.there), (5.0, 2_000_000.0));
    // A forwarder that does not answer has none, nor what was made anew meanwhile.
    assert!(!rates.forwards.contains_key(&key(Protocol::Udp)));
    after.links.get_mut(&office).unwrap().index = 9;
    assert!(!Rates::between(&before, &after).links.contains_key(&office));
    assert!(Rates::between(&after, &before).forwards.is_empty());
    assert_eq!(Rates::between(&before, &before), Rates::default());
}

#[test]
fn the_busiest_comes_first_and_any_column_can_sort() {
    let mut model = model();
    assert_eq!(names(&model), ["podman-1", "office", "lab", "default"]);
    press(&mut model, &[Action::Reverse]);
    assert_eq!(names(&model), ["default", "lab", "office", "podman-1"]);
    press(&mut model, &[Action::SortPrevious, Action::SortPrevious]);
    assert_eq!(names(&model), ["default", "lab", "office", "podman-1"]);
    press(&mut model, &[Action::SortPrevious]);
    assert_eq!(model.sort().column, Tab::Netns.columns().len() - 1);
    assert_eq!(names(&model)[0], "lab");
    // Each table remembers its own.
    press(&mut model, &[Action::NextTab, Action::PreviousTab]);
    assert_eq!(names(&model)[0], "lab");
}

#[test]
fn a_chosen_row_stays_chosen_while_others_come_and_go() {
    let start = Instant::now();
    let mut model = Model::new(SECOND);
    model.absorb(sample(start, 1));
    model.absorb(sample(start, 2));
    press(&mut model, &[Action::Down, Action::Down]);
    let chosen = |model: &Model| model.rows()[model.place()].id.clone();
    assert_eq!(chosen(&model), Id::Netns("lab".to_owned()));
    let mut busy = sample(start, 3);
    let host = ("lab".to_owned(), "host".to_owned());
    busy.links.get_mut(&host).unwrap().received.bytes = 1 << 40;
    model.absorb(busy.clone());
    assert_eq!(
        (model.place(), chosen(&model)),
        (0, Id::Netns("lab".to_owned()))
    );
    // What is chosen and goes leaves the place to whatever comes there.
    press(&mut model, &[Action::Last]);
    busy.report = Arc::new(Report::default());
    busy.links.clear();
    model.absorb(busy);
    assert_eq!((model.rows().len(), model.place()), (0, 0));
    press(&mut model, &[Action::Down, Action::Enter]);
    assert!(model.detail().is_none());
}

#[test]
fn while_it_is_paused_nothing_changes() {
    let mut model = model();
    press(&mut model, &[Action::Pause]);
    let before = drawn(&mut model, 100, 20);
    model.absorb(sample(Instant::now(), 50));
    assert_eq!(drawn(&mut model, 100, 20), before);
    press(&mut model, &[Action::Pause]);
    model.absorb(sample(Instant::now() + SECOND * 100, 60));
    assert_ne!(drawn(&mut model, 100, 20), before);
}

#[test]
fn colour_marks_nothing_that_words_do_not() {
    let mut model = model();
    let area = Rect::new(0, 0, 100, 12);
    let draw = |model: &mut Model, color| {
        let mut buffer = ratatui_core::buffer::Buffer::empty(area);
        view::draw(model, &mut buffer, color);
        buffer
    };
    let (with, without) = (draw(&mut model, true), draw(&mut model, false));
    let symbols = |buffer: &ratatui_core::buffer::Buffer| {
        let cells = buffer.content().iter();
        cells
            .map(|cell| cell.symbol().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(symbols(&with), symbols(&without));
    let colours = |buffer: &ratatui_core::buffer::Buffer| {
        let cells = buffer.content().iter();
        cells.filter(|cell| cell.fg != Color::Reset).count()
    };
    assert!(colours(&with) > 0 && colours(&without) == 0);
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Back),
        Just(Action::Down),
        Just(Action::Enter),
        Just(Action::Filter),
        Just(Action::First),
        Just(Action::Help),
        Just(Action::Last),
        Just(Action::NextTab),
        Just(Action::PageDown),
        Just(Action::PageUp),
        Just(Action::Pause),
        Just(Action::PreviousTab),
        Just(Action::Reverse),
        Just(Action::Rub),
        Just(Action::SortNext),
        Just(Action::SortPrevious),
        Just(Action::Up),
        prop::char::range('a', 'z').prop_map(Action::Type),
        Just(Action::Type('界')),
    ]
}

proptest! {
    #[test]
    fn whatever_is_pressed_and_however_small_it_is_it_draws(
        steps in proptest::collection::vec((actions(), 1_u16..110, 1_u16..30), 1..40),
    ) {
        let start = Instant::now();
        let mut model = Model::new(SECOND);
        for (second, (action, width, height)) in (0..).zip(steps) {
            model.absorb(sample(start, second));
            prop_assert_ne!(model.apply(action), Next::End);
            let text = drawn(&mut model, width, height);
            prop_assert_eq!(text.lines().count(), usize::from(height));
            prop_assert!(model.place() < model.rows().len().max(1));
        }
    }

    #[test]
    fn sorting_loses_no_row_and_is_in_order(column in 0_usize..10, reversed in any::<bool>()) {
        let mut model = model();
        for _ in 0..column {
            model.apply(Action::SortNext);
        }
        if reversed {
            model.apply(Action::Reverse);
        }
        prop_assert_eq!(model.rows().len(), model.count(model.tab));
        let column = model.sort().column;
        let in_order = model.rows().windows(2).all(|pair| {
            let order = pair[0].cells[column].order(&pair[1].cells[column]);
            if reversed { order.is_ge() } else { order.is_le() }
        });
        prop_assert!(in_order);
    }
}
