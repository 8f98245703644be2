//! Every kind on a list, whatever it is: each is created, given each of its keys, damaged by another
//! program, repaired and removed. A new kind joins by being on its list.

use netnsctl_machine::net::{add_bridge, by_hand, has_link, link};
use netnsctl_model::config::section::{Condition, Key};
use netnsctl_model::item::entry::{self, EntryKind};
use netnsctl_model::item::link::kinds::KINDS;
use netnsctl_model::item::{Item, LinkKind};
use netnsctl_netlink::NewLink;

use crate::engine::{down, plan, up};

/// A line for each key, with the value that the key has for an example.
fn lines<'k>(keys: impl IntoIterator<Item = &'k Key>) -> String {
    let line = |key: &Key| format!("{} = {}\n", key.name, key.example);
    keys.into_iter().map(line).collect()
}

/// Whether this kernel has links of that kind.
fn has(kind: &LinkKind) -> bool {
    // A kind with a parent is refused for want of one only if the kernel knows the kind.
    let mut batch = netnsctl_netlink::Batch::new();
    batch.create_link(NewLink {
        name: "probe",
        kind: kind.word,
        ..NewLink::default()
    });
    let mut socket = netnsctl_machine::net::socket("default");
    let results = socket.commit(batch).expect("the exchange works");
    let result = results.into_iter().next().expect("one answer for one");
    if result.is_ok() {
        by_hand("default", |batch| batch.delete_link("probe"));
    }
    !result.is_err_and(|error| error.is(rustix::io::Errno::OPNOTSUPP))
}

/// Brings up `text` and finds all of it there.
#[track_caller]
fn up_and_settled(text: &str) {
    up(text);
    let left = plan(text);
    assert!(left.is_empty(), "{text}\n{left:?}");
}

#[netnsctl_machine::test]
fn every_kind_of_link_comes_changes_and_goes() {
    let none = "[netns.office]\n";
    for kind in KINDS {
        if !has(kind) {
            netnsctl_machine::say(&format!("this kernel has no {} links", kind.word));
            continue;
        }
        // The parent of the example.
        add_bridge("default", "enp3s0");
        let head = format!(
            "{none}[[netns.office.link]]\ninterface = \"own\"\nkind = \"{}\"\n",
            kind.word
        );
        let required = head.clone() + &lines(kind.keys.iter().filter(|key| key.required));
        up_and_settled(&required);
        assert_eq!(link("office", "own").kind.as_deref(), Some(kind.word));
        let mut text = required;
        for key in kind.keys.iter().filter(|key| !key.required) {
            text += &lines([key]);
            if !plan(&text).is_empty() {
                up_and_settled(&text);
            }
        }
        by_hand("office", |batch| batch.delete_link("own"));
        up_and_settled(&text);
        up_and_settled(&(text + "mtu = 1300\n"));
        assert_eq!(link("office", "own").mtu, 1300);
        up_and_settled(none);
        assert!(!has_link("office", "own"));
        down();
        by_hand("default", |batch| batch.delete_link("enp3s0"));
    }
}

/// A table of `kind` with the keys that have to be there, and `key`.
fn table(kind: &EntryKind, key: Option<&'static Key>) -> String {
    let one_of = |key: &Key| {
        let conditions = kind.section.conditions.iter();
        conditions
            .clone()
            .any(|it| matches!(it, Condition::AnyOf([.., last]) if *last == key.name))
    };
    let is_other = |other: &Key| key.is_none_or(|key| key.name != other.name);
    let keys = kind.section.keys();
    let needed = keys.filter(|it| (it.required || one_of(it)) && is_other(it));
    format!(
        "[[netns.office.{}]]\n{}",
        kind.word(),
        lines(needed.chain(key))
    )
}

#[netnsctl_machine::test]
fn every_kind_of_entry_comes_and_goes() {
    let none = "[netns.office]\n";
    for kind in entry::KINDS {
        let plain = none.to_owned() + &table(kind, None);
        up_and_settled(&plain);
        for key in kind.section.keys() {
            let text = none.to_owned() + &table(kind, Some(key));
            let changes = plan(&text);
            if !changes.steps.is_empty() {
                up_and_settled(&text);
            }
        }
        up_and_settled(none);
        let all = plan(&plain).steps.into_iter();
        let missing = all.filter(|step| matches!(&step.item, Item::Entry(it) if it.kind == *kind));
        assert_eq!(missing.count(), 1, "{} stays", kind.word());
        down();
    }
}
