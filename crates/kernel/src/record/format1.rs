//! Records as netnsctl wrote them before format 2: a field for each kind of item. They are read, so
//! that an upgrade leaves what is up alone.

use std::collections::BTreeMap;

use netnsctl_model::item::{BadKey, Fields, Key};
use netnsctl_model::observed::Applied;
use serde::Deserialize;

/// What a record of format 1 says is there.
#[derive(Deserialize)]
pub(super) struct Items {
    #[serde(default)]
    holders: Vec<String>,
    #[serde(default)]
    veths: Vec<[Fields; 2]>,
    #[serde(default)]
    addresses: Vec<Fields>,
    #[serde(default)]
    routes: Vec<Fields>,
    #[serde(default)]
    sysctl: BTreeMap<String, String>,
    #[serde(default)]
    directories: Vec<String>,
}

impl Items {
    /// What it says in today's form; `name` is the namespace it is the record of.
    pub(super) fn applied(self, name: &str) -> Result<Applied, BadKey> {
        let fields = |fields: &[(&str, &String)]| -> Fields {
            let own = |(word, value): &(&str, &String)| ((*word).to_owned(), (*value).clone());
            fields.iter().map(own).collect()
        };
        let name = name.to_owned();
        let mut items: Vec<(&str, Fields)> = Vec::new();
        for holder in &self.holders {
            let at = [("netns", &name), ("interface", holder)];
            items.push(("link", fields(&at)));
        }
        for [near, far] in self.veths {
            let mut pair = near;
            let far = far.into_iter();
            pair.extend(far.map(|(word, value)| (format!("peer_{word}"), value)));
            items.push(("link", pair));
        }
        items.extend(self.addresses.into_iter().map(|it| ("address", it)));
        items.extend(self.routes.into_iter().map(|it| ("route", it)));
        let keys = self.sysctl.keys();
        items.extend(keys.map(|key| ("sysctl", fields(&[("key", key)]))));
        let paths = self.directories.iter();
        items.extend(paths.map(|path| ("directory", fields(&[("path", path)]))));
        let keys = items.iter().map(|(word, fields)| Key::read(word, fields));
        keys.collect()
    }
}
