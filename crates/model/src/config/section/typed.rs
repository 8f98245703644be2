//! A value of a key with its type, whatever the key: from a file, and from a record.

use ipnet::IpNet;

use super::{Form, Key, Kind};
use crate::config::text::{list, quote};
use crate::config::values::{self, BadValue};
use crate::item::Value;

/// Reads what stands as text for the value of `key`; what [`Value`] prints is read as the same.
pub fn read(key: &Key, text: &str) -> Result<Value, BadValue> {
    let bad = || BadValue {
        message: format!("{} cannot be {}", quote(key.name), quote(text)),
        hint: format!("write it as {} = {}", key.name, key.example),
    };
    match key.kind {
        Kind::Boolean => text.parse().map(Value::Flag).map_err(|_| bad()),
        Kind::Integer(least, most) | Kind::IntegerOr(least, most, _) => {
            let number = number(text, least, most);
            number.map(Value::Number).ok_or_else(bad)
        }
        Kind::Range(least, most) => {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let ends = number(first, least, most).zip(number(last, least, most));
            let ends = ends.filter(|(first, last)| first <= last);
            let range = ends.map(|(first, last)| Value::Range(first, last));
            range.ok_or_else(bad)
        }
        Kind::String(form) => form_value(key, form, text),
        Kind::Strings(_) => Err(bad()),
    }
}

fn number(text: &str, least: i64, most: i64) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (least..=most)
        .contains(&i64::from(number))
        .then_some(number)
}

fn form_value(key: &Key, form: Form, text: &str) -> Result<Value, BadValue> {
    match form {
        Form::Ip => values::ip(text).map(Value::Ip),
        Form::Interface | Form::Link => {
            let name = values::interface(text);
            name.map(|name| Value::Text(name.to_string()))
        }
        Form::Mac => values::mac(text).map(Value::Mac),
        Form::Netns => values::netns(text).map(|netns| Value::Text(netns.to_string())),
        Form::Prefix => prefix(text).map(Value::Prefix),
        Form::OneOf(words) if !words.contains(&text) => Err(BadValue {
            message: format!("{} cannot be {}", quote(key.name), quote(text)),
            hint: format!("it is {}", list(words.iter().copied(), "or")),
        }),
        _ => Ok(text.into()),
    }
}

/// A prefix that leaves something out.
fn prefix(text: &str) -> Result<IpNet, BadValue> {
    let prefix = values::prefix(text)?;
    match prefix.prefix_len() {
        0 => Err(BadValue {
            message: format!("{} is every address", quote(text)),
            hint: "leave the key out where any address will do".to_owned(),
        }),
        _ => Ok(prefix),
    }
}

/// The value that holds if `key` is not given, unless that is said in words alone.
pub fn default(key: &Key) -> Option<Value> {
    use super::Fallback;
    match key.default? {
        Fallback::Boolean(flag) => Some(Value::Flag(flag)),
        Fallback::Integer(number) => Some(Value::Number(number)),
        Fallback::Mac(mac) => Some(Value::Mac(mac)),
        Fallback::Text(text) => read(key, text).ok(),
        Fallback::Texts(_) | Fallback::Time(_) | Fallback::Words(_) => None,
    }
}
