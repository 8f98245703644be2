//! Records as JSON: the wire form of [`Record`], apart from the type the planner works with.
//!
//! Format 2 lists items, each with the words that identify it; the kinds are those of
//! [`netnsctl_model::item`]. Format 1 is read as well.

mod format1;

use netnsctl_model::item::{Fields, Key};
use netnsctl_model::observed::{Applied, Identity, Record};
use serde::{Deserialize, Serialize};

/// Grows when a reader of an earlier format could misunderstand a later one.
const FORMAT: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Wire {
    /// What the format was called up to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    form: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<u32>,
    device: u64,
    inode: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<u64>,
    #[serde(default)]
    items: Vec<WireItem>,
}

#[derive(Serialize, Deserialize)]
struct WireItem {
    item: String,
    #[serde(flatten)]
    fields: Fields,
}

pub(crate) fn to_json(record: &Record) -> String {
    let Record { identity, applied } = record;
    let item = |key: &Key| {
        let fields = key.fields().into_iter();
        WireItem {
            item: key.word().to_owned(),
            fields: fields
                .map(|(word, value)| (word.to_owned(), value))
                .collect(),
        }
    };
    let wire = Wire {
        form: None,
        format: Some(FORMAT),
        device: identity.device,
        inode: identity.inode,
        cookie: identity.cookie,
        items: applied.0.iter().map(item).collect(),
    };
    // Strings, numbers and lists of them cannot fail to become JSON.
    let mut text = serde_json::to_string(&wire).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads the record of the namespace `name`. The error says what is wrong with it.
pub(crate) fn from_json(name: &str, text: &str) -> Result<Record, String> {
    let wire: Wire = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let applied = match (wire.format, wire.form) {
        (Some(FORMAT), _) => {
            let keys = wire.items.iter();
            let keys = keys.map(|WireItem { item, fields }| Key::read(item, fields));
            keys.collect::<Result<Applied, _>>()
                .map_err(|error| error.to_string())?
        }
        (None, Some(1)) => {
            let items: format1::Items =
                serde_json::from_str(text).map_err(|error| error.to_string())?;
            items.applied(name).map_err(|error| error.to_string())?
        }
        (Some(other), _) | (None, Some(other)) => {
            return Err(format!(
                "record format {other} is not supported (this version reads 1 and {FORMAT})"
            ));
        }
        (None, None) => return Err("it does not say its format".to_owned()),
    };
    let identity = Identity {
        device: wire.device,
        inode: wire.inode,
        cookie: wire.cookie,
    };
    Ok(Record { identity, applied })
}

/// Entry for fuzzing: any text as a record.
#[doc(hidden)]
pub fn fuzz_record(text: &str) {
    if let Ok(record) = from_json("office", text) {
        assert_eq!(from_json("office", &to_json(&record)), Ok(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netnsctl_model::item::LinkKey;
    use netnsctl_model::name::{InterfaceName, NetnsRef};
    use netnsctl_model::plan::LinkPlace;

    const FORMAT_1: &str = r#"{"form":1,"device":4,"inode":4026532525,"cookie":7,
        "holders":["left"],
        "veths":[[{"netns":"left","interface":"host"},{"netns":"default","interface":"left"}]],
        "addresses":[{"netns":"default","interface":"left","address":"192.168.77.2/30"}],
        "routes":[{"to":"0.0.0.0/0","via":"192.168.77.2"},{"to":"::/0","interface":"host"}],
        "sysctl":{"net.ipv4.conf.all.forwarding":"0"},
        "directories":["/etc/netns"],"later":"a field of a later version"}"#;

    #[test]
    fn a_record_of_format_1_reads_as_what_it_said() {
        let record = from_json("left", FORMAT_1).unwrap();
        assert_eq!(record.identity.cookie, Some(7));
        assert_eq!(record.applied.0.len(), 7);
        let place = |netns: &str, interface: &str| LinkPlace {
            netns: NetnsRef::parse(netns).unwrap(),
            interface: InterfaceName::parse(interface).unwrap(),
        };
        let links: Vec<_> = record.applied.links().cloned().collect();
        let base = LinkKey {
            place: place("left", "left"),
            peer: None,
        };
        let pair = LinkKey {
            place: place("left", "host"),
            peer: Some(place("default", "left")),
        };
        assert_eq!(links, [pair, base]);
        let written = to_json(&record);
        assert!(written.starts_with(r#"{"format":2,"#), "{written}");
        assert_eq!(from_json("left", &written), Ok(record));
    }

    #[test]
    fn what_is_no_record_says_why() {
        let bad = [
            ("", "EOF"),
            (r#"{"device":1,"inode":1}"#, "does not say its format"),
            (
                &FORMAT_1.replace("\"form\":1", "\"format\":3"),
                "record format 3 is not supported (this version reads 1 and 2)",
            ),
            (
                &FORMAT_1.replace("192.168.77.2/30", "nowhere"),
                "\"nowhere\" is no address",
            ),
            (
                &FORMAT_1.replace("[\"left\"]", "[\"a/b\"]"),
                "interface \"a/b\"",
            ),
            (
                r#"{"format":2,"device":1,"inode":1,"items":[{"item":"tunnel"}]}"#,
                "\"tunnel\" is no kind of item",
            ),
            (
                r#"{"format":2,"device":1,"inode":1,"items":[{"item":"sysctl"}]}"#,
                "sysctl without \"key\"",
            ),
        ];
        for (text, why) in bad {
            let error = from_json("left", text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
