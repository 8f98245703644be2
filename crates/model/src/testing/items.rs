//! Items at random whose kinds are on lists: whatever keys a kind has, values for them.

use proptest::prelude::*;

use crate::config::section::{Form, Key, Kind, typed};
use crate::item::entry::{self, Entry};
use crate::item::link::kind::{PARENT, PARENT_NETNS};
use crate::item::link::kinds;
use crate::item::{LinkPlace, Value, Values};

/// Values for the keys of each kind of link, the parent aside.
pub fn link_values() -> impl Strategy<Value = Vec<Values>> {
    let of_kinds = kinds::KINDS.iter().map(|kind| {
        let keys = kind.keys.iter();
        let own = keys.filter(|key| ![PARENT, PARENT_NETNS].contains(&key.name));
        values(own).prop_filter("a contradiction", |it| (kind.check)(it).is_none())
    });
    of_kinds.collect::<Vec<_>>()
}

/// A few entries of every kind.
pub fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let of_kinds = entry::KINDS.iter().map(|kind| {
        let values = values(kind.section.keys()).prop_map(|mut values| {
            (kind.complete)(&mut values);
            values
        });
        let values = values.prop_filter("a contradiction", |it| (kind.check)(it).is_none());
        let entry = values.prop_map(|values| Entry { kind, values });
        prop::collection::vec(entry, 0..3)
    });
    let of_kinds = of_kinds.collect::<Vec<_>>();
    of_kinds.prop_map(|all| all.into_iter().flatten().collect())
}

/// `values` with a parent, as far as a link of that kind can have one.
pub(super) fn with_parent(number: usize, mut values: Values, parent: &LinkPlace) -> Values {
    let kind = kinds::KINDS[number];
    if let Some(key) = kind.key(PARENT) {
        values.set(key.name, Value::Text(parent.interface.to_string()));
    }
    if let Some(key) = kind.key(PARENT_NETNS) {
        values.set(key.name, Value::Text(parent.netns.to_string()));
    }
    values
}

/// Values for keys: those that have to be there, those that hold by default, and some of the rest.
fn values(keys: impl Iterator<Item = &'static Key>) -> BoxedStrategy<Values> {
    let one = |key: &'static Key| {
        let given = (any::<bool>(), value(key));
        let given = given.prop_map(|(given, value)| (given || key.required).then_some(value));
        given.prop_map(move |value| Some((key.name, value.or_else(|| typed::default(key))?)))
    };
    let all = keys.map(one).collect::<Vec<_>>();
    all.prop_map(|all| all.into_iter().flatten().collect())
        .boxed()
}

fn value(key: &'static Key) -> BoxedStrategy<Value> {
    let number = |least: i64, most: i64| {
        let clamp = |it: i64| u32::try_from(it).unwrap_or(u32::MAX);
        clamp(least)..=clamp(most)
    };
    match key.kind {
        Kind::Boolean => any::<bool>().prop_map(Value::Flag).boxed(),
        Kind::Integer(least, most) | Kind::IntegerOr(least, most, _) => {
            number(least, most).prop_map(Value::Number).boxed()
        }
        Kind::Range(least, most) => (number(least, most), number(least, most))
            .prop_map(|(a, b)| Value::Range(a.min(b), a.max(b)))
            .boxed(),
        Kind::String(form) => text(form)
            .prop_filter_map("no value", |text| typed::read(key, &text).ok())
            .boxed(),
        Kind::Strings(_) => unimplemented!("no item of a list has a list of its own"),
    }
}

/// Texts of which most are of that form.
fn text(form: Form) -> BoxedStrategy<String> {
    match form {
        Form::OneOf(words) => prop::sample::select(words).prop_map(str::to_owned).boxed(),
        Form::Ip => prop_oneof![
            "192\\.0\\.2\\.[1-9]",
            "2001:db8::[1-9]",
            "239\\.0\\.0\\.[1-9]"
        ]
        .boxed(),
        Form::Prefix => prop_oneof![
            "10\\.[1-9]\\.0\\.0/16",
            "192\\.0\\.2\\.[1-9]",
            "fd00:[1-9]::/32"
        ]
        .boxed(),
        Form::Mac => "02:00:00:00:[0-9a-f]{2}:[0-9a-f]{2}".boxed(),
        Form::Interface | Form::Link => "[a-z][a-z0-9]{0,6}".boxed(),
        _ => "[a-z]{1,8}".boxed(),
    }
}
