//! A profile of wg-netns (<https://github.com/dadevel/wg-netns>), as a declaration.
//!
//! What a profile is about, WireGuard links, nothing here makes: the declaration is of the
//! namespace they are moved into, and comments say of each link what has to be done for it still.
//! Keys of WireGuard are secrets and in no comment. Profiles in YAML are the same things in another
//! language. Only JSON is read: the parser of YAML that most programs have is no longer maintained,
//! and every one is more code than all of this for a file that one command turns into JSON.

use std::fmt;

use netnsctl_model::desired::Dns;
use serde_json::{Map, Value};

use crate::draft::{Draft, Space};

/// Why a text is no profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WgNetnsError {
    /// It is not JSON; the parser's words.
    Json(String),
    /// It is JSON, but no object.
    NoObject,
    /// It has no name, so it is about home.
    NoName,
}

impl fmt::Display for WgNetnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(words) => write!(f, "it is no JSON: {words}"),
            Self::NoObject => f.write_str("it is no object with the keys of a profile"),
            Self::NoName => {
                f.write_str("it has no \"name\", so its links are in home, which is not declared")
            }
        }
    }
}

impl std::error::Error for WgNetnsError {}

/// Keys of a link that are the business of wg(8), and secret or of use to it alone.
const OF_WIREGUARD: [&str; 5] = [
    "fwmark",
    "listen_port",
    "peers",
    "private_key",
    "public_key",
];

/// A configuration file for the namespace of the profile `text`, which is JSON.
///
/// Errors: [`WgNetnsError`], if nothing can be said of it at all.
pub fn of_wg_netns(text: &str) -> Result<String, WgNetnsError> {
    let value =
        serde_json::from_str(text).map_err(|error| WgNetnsError::Json(error.to_string()))?;
    let Value::Object(profile) = value else {
        return Err(WgNetnsError::NoObject);
    };
    let profile = with_underscores(&profile);
    let name = profile.get("name").and_then(Value::as_str);
    let name = name.ok_or(WgNetnsError::NoName)?;
    let mut draft = Draft::default();
    draft.head.push(
        "The namespace of a wg-netns profile, as \"netnsctl import\" read it. Its WireGuard links \
         have to be made and moved in once it is up."
            .to_owned(),
    );
    if name == "default" {
        draft.not_expressed(None, "netns default: that is what configuration calls home");
        return Ok(draft.settle());
    }
    draft.netns.insert(name.to_owned(), Space::default());
    let links = keys(&mut draft, name, &profile);
    if let Some(space) = draft.netns.get_mut(name) {
        if space.dns.is_none() {
            space.notes.push(
                "the profile names no servers, so the host's held; here the default ones do".into(),
            );
        }
        // A link of the profile may be called as the namespace is.
        let numbered = (0..=links.len()).map(|number| format!("own{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        space.interface = names.find(|free| !links.contains(free) && free.len() <= 15);
    }
    Ok(draft.settle())
}

/// Declares what can be, and tells of the rest; the names of the links.
fn keys(draft: &mut Draft, name: &str, profile: &Map<String, Value>) -> Vec<String> {
    let mut links = Vec::new();
    for (key, value) in profile {
        match (key.as_str(), value) {
            ("name", _) | ("managed", Value::Bool(true)) | (_, Value::Null) => {}
            ("managed", Value::Bool(false)) => draft.not_expressed(
                Some(name),
                "\"managed\" is false: whoever makes the namespace has to leave that to netnsctl, \
                 or \"up --adopt\" takes it over",
            ),
            ("dns_server", Value::Array(servers)) if servers.iter().all(Value::is_string) => {
                let servers = servers.iter().filter_map(Value::as_str);
                let dns = Dns {
                    nameservers: servers.map(str::to_owned).collect(),
                    search: Vec::new(),
                    options: Vec::new(),
                };
                if let (Some(space), false) =
                    (draft.netns.get_mut(name), dns.nameservers.is_empty())
                {
                    space.dns = Some(dns);
                }
            }
            ("interfaces", Value::Array(interfaces)) => {
                for interface in interfaces {
                    links.extend(link(draft, name, interface));
                }
            }
            ("pre_up" | "post_up" | "pre_down" | "post_down", _) => {
                let words = format!("\"{key}\": commands around the links of the profile");
                draft.not_expressed(Some(name), words);
            }
            ("base_netns", _) => {
                let words = "\"base-netns\": make the links in that namespace";
                draft.not_expressed(Some(name), words);
            }
            (key, _) => {
                draft.not_expressed(Some(name), format!("\"{key}\", which is not known here"));
            }
        }
    }
    links
}

/// The keys as Python would have them: wg-netns takes both ways of writing.
fn with_underscores(object: &Map<String, Value>) -> Map<String, Value> {
    let entries = object.iter();
    entries
        .map(|(key, value)| (key.replace('-', "_"), value.clone()))
        .collect()
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let values = value.and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_str)
}

/// Says what is to be done for a link; its name.
fn link(draft: &mut Draft, netns: &str, value: &Value) -> Option<String> {
    let Some(object) = value.as_object().map(with_underscores) else {
        draft.not_expressed(Some(netns), "an interface that is no object");
        return None;
    };
    let Some(name) = object.get("name").and_then(Value::as_str) else {
        draft.not_expressed(Some(netns), "an interface without a name");
        return None;
    };
    let mut words = format!("wireguard {name}: make it in home and move it in");
    let addresses: Vec<_> = strings(object.get("address")).collect();
    if !addresses.is_empty() {
        words.push_str(&format!("; addresses {}", addresses.join(", ")));
    }
    // What wg-netns gives a link that says nothing of it.
    let mtu = object
        .get("mtu")
        .map_or_else(|| "1420".to_owned(), Value::to_string);
    words.push_str(&format!("; mtu {mtu}"));
    let set: Vec<_> = OF_WIREGUARD
        .iter()
        .filter(|key| object.contains_key(**key))
        .map(|key| key.replace('_', "-"))
        .collect();
    if !set.is_empty() {
        words.push_str(&format!("; set by wg(8): {}", set.join(", ")));
    }
    draft.not_expressed(Some(netns), words);
    let peers = object.get("peers").and_then(Value::as_array);
    for peer in peers.into_iter().flatten().filter_map(Value::as_object) {
        let peer = with_underscores(peer);
        let routes = peer.get("routes").filter(|routes| !routes.is_null());
        for route in strings(routes.or_else(|| peer.get("allowed_ips"))) {
            draft.not_expressed(Some(netns), format!("route {route} dev {name}"));
        }
    }
    let known = ["name", "address", "mtu"];
    for key in object
        .keys()
        .filter(|key| !known.contains(&key.as_str()) && !OF_WIREGUARD.contains(&key.as_str()))
    {
        draft.not_expressed(
            Some(netns),
            format!("\"{key}\" of {name}, which is not known here"),
        );
    }
    Some(name.to_owned())
}
