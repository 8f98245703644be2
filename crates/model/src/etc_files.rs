//! The text of the files netnsctl writes into `/etc/netns/NAME/`.

use crate::desired::Dns;
use crate::name::NetnsName;

/// Where ip-netns(8) looks for a namespace's own files of /etc.
pub const ETC_NETNS: &str = "/etc/netns";

/// How the first line of every file of ours begins. A file without it is the user's.
pub const HEADER: &str = "# Written by netnsctl";

/// Whether `content` is that of a file netnsctl wrote.
pub fn is_ours(content: &str) -> bool {
    content.starts_with(HEADER)
}

/// `/etc/netns/NAME`.
pub fn directory(name: &NetnsName) -> String {
    format!("{ETC_NETNS}/{name}")
}

/// The resolv.conf(5) of a namespace.
pub fn resolv_conf(name: &NetnsName, dns: &Dns) -> String {
    let mut text = header(name, "dns");
    for server in &dns.nameservers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    for (keyword, words) in [("search", &dns.search), ("options", &dns.options)] {
        if !words.is_empty() {
            text.push_str(&format!("{keyword} {}\n", words.join(" ")));
        }
    }
    text
}

/// The nsswitch.conf(5) of a namespace: the host's, with `resolve` and the `[...]` behind it taken
/// out of `hosts`, since that module asks the host's systemd-resolved over a socket that no
/// network namespace keeps out.
pub fn nsswitch_conf(name: &NetnsName, host: &str) -> String {
    let mut text = header(name, "nscd");
    for line in host.lines() {
        match line.trim_start().strip_prefix("hosts:") {
            Some(services) => text.push_str(&format!("hosts: {}\n", without_resolve(services))),
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

fn header(name: &NetnsName, section: &str) -> String {
    format!(
        "{HEADER} for [netns.{name}.{section}]; \"netnsctl down\" removes it. \
         Without this line it is yours and stays.\n"
    )
}

/// The services of a `hosts:` line without `resolve`; `files dns` if that leaves nothing that
/// looks anywhere.
fn without_resolve(services: &str) -> String {
    let (services, comment) = match services.split_once('#') {
        Some((services, comment)) => (services, format!(" #{comment}")),
        None => (services, String::new()),
    };
    let mut kept: Vec<String> = Vec::new();
    let mut after_resolve = false;
    for item in items(services) {
        let is_action = item.starts_with('[');
        if !(is_action && after_resolve) && item != "resolve" {
            kept.push(item.clone());
        }
        after_resolve = item == "resolve" || (is_action && after_resolve);
    }
    if kept.iter().all(|item| item.starts_with('[')) {
        kept = vec!["files".to_owned(), "dns".to_owned()];
    }
    format!("{}{comment}", kept.join(" "))
}

/// Words and bracketed actions; an action may contain spaces.
fn items(services: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = services.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |at| at + 1)
        } else {
            rest.find(|c: char| c.is_whitespace() || c == '[')
                .unwrap_or(rest.len())
        };
        found.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolve_and_its_action_leave_the_hosts_line() {
        let cases = [
            ("files resolve [!UNAVAIL=return] dns", "files dns"),
            (
                "mymachines resolve [!UNAVAIL=return] files myhostname dns",
                "mymachines files myhostname dns",
            ),
            (
                "files mdns4_minimal [NOTFOUND=return] dns",
                "files mdns4_minimal [NOTFOUND=return] dns",
            ),
            ("resolve", "files dns"),
            (
                "resolve [ !UNAVAIL=return ] [SUCCESS=return] dns # x",
                "dns # x",
            ),
            ("files resolve[!UNAVAIL=return]dns", "files dns"),
        ];
        for (host, wanted) in cases {
            assert_eq!(without_resolve(host), wanted, "{host}");
        }
    }

    #[test]
    fn files_say_whose_they_are() {
        let name = NetnsName::parse("office").unwrap();
        let dns = Dns {
            search: vec!["example.net".into()],
            ..Dns::default()
        };
        let text = resolv_conf(&name, &dns);
        assert!(is_ours(&text));
        assert!(text.ends_with("nameserver 8.8.8.8\nsearch example.net\n"));
        let text = nsswitch_conf(&name, "passwd: files\nhosts: resolve dns\n");
        assert!(text.ends_with("passwd: files\nhosts: dns\n") && is_ours(&text));
    }
}
