//! Which sysctls a declaration has to give: those that `up` would leave otherwise.

use std::collections::BTreeMap;

use netnsctl_model::name::{InterfaceName, SysctlKey};
use netnsctl_model::plan::same_value;

use crate::draft::{NOT_EXPRESSED, Said, Space};

/// Keys that follow from others or are the kernel's own secrets.
const NEVER: [&str; 4] = [
    "net.ipv4.ip_forward",
    "mtu",
    "stable_secret",
    "tcp_fastopen_key",
];

const ALL_REDIRECTS: &str = "net.ipv4.conf.all.accept_redirects";

/// The values a namespace has.
type Values = BTreeMap<SysctlKey, Option<String>>;

/// Declares what differs in `values` from what `up` makes of a namespace whose new ones have
/// `fresh`. `links` are those declared, with their kinds.
pub(crate) fn declare(
    space: &mut Space,
    values: &Values,
    fresh: &BTreeMap<SysctlKey, String>,
    links: &BTreeMap<InterfaceName, String>,
) {
    forwarding(space, values);
    let ipv6_off = value_of(values, "net.ipv6.conf.all.disable_ipv6").filter(|all| all != "0");
    for (key, value) in values {
        let Some(value) = value else { continue };
        let parts: Vec<_> = key.parts().collect();
        let last = parts.last().map_or("", String::as_str);
        if NEVER.contains(&last) || NEVER.contains(&key.as_str()) {
            continue;
        }
        let wanted = match key.interface() {
            None if last == "forwarding" && parts.get(2).is_some_and(|part| part == "conf") => {
                continue;
            }
            // The kernel has routers believe no redirects (`inet_forward_change()` in
            // net/ipv4/devinet.c).
            None if space.ipv4_forwarding && key.as_str() == ALL_REDIRECTS => Some("0".to_owned()),
            None => fresh.get(key).cloned(),
            Some(link) => {
                let Some(kind) = links.get(&link) else {
                    continue;
                };
                let of_new = || of_kind(key, kind).and_then(|key| fresh.get(&key).cloned());
                match (parts[1].as_str(), last) {
                    ("ipv4", "forwarding") => Some(u8::from(space.ipv4_forwarding).to_string()),
                    ("ipv6", "forwarding") => Some(u8::from(space.ipv6_forwarding).to_string()),
                    ("ipv6", "disable_ipv6") if ipv6_off.is_some() => ipv6_off.clone(),
                    _ => of_new(),
                }
            }
        };
        if !wanted
            .as_ref()
            .is_some_and(|wanted| same_value(wanted, value))
        {
            differs(space, key, value, wanted.is_some());
        }
    }
}

fn value_of(values: &Values, key: &str) -> Option<String> {
    let key = SysctlKey::parse(key).ok()?;
    values.get(&key).cloned().flatten()
}

fn forwarding(space: &mut Space, values: &Values) {
    for (family, flag) in [
        ("ipv4", &mut space.ipv4_forwarding),
        ("ipv6", &mut space.ipv6_forwarding),
    ] {
        let [all, default] = ["all", "default"]
            .map(|which| value_of(values, &format!("net.{family}.conf.{which}.forwarding")));
        *flag = all.as_deref().is_some_and(|all| all.trim() != "0");
        if all != default {
            let default = default.unwrap_or_default();
            space.notes.push(format!(
                "{NOT_EXPRESSED}sysctl net.{family}.conf.default.forwarding = {default}: \
                 {family}_forwarding sets that of all links too"
            ));
        }
    }
}

/// The key of a link as it stands for its kind.
fn of_kind(key: &SysctlKey, kind: &str) -> Option<SysctlKey> {
    let mut parts: Vec<_> = key.as_str().split('.').collect();
    *parts.get_mut(3)? = kind;
    SysctlKey::parse(&parts.join(".")).ok()
}

fn differs(space: &mut Space, key: &SysctlKey, value: &str, known: bool) {
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    // Values are written in the order of their keys, and that of all links is one for each.
    let overwritten = key.as_str().ends_with(".disable_ipv6")
        && key.interface().is_some()
        && key.as_str() < "net.ipv6.conf.all.disable_ipv6";
    if known && !overwritten {
        space.sysctl.insert(key.to_string(), Said::new(value));
    } else {
        let words = format!("{NOT_EXPRESSED}sysctl {key} = {value}");
        space.notes.push(words);
    }
}
