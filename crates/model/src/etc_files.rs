//! The text of the files netnsctl writes into `/etc/netns/NAME/`, and what such files say.

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
        match hosts_services(line) {
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

/// The services that a line of nsswitch.conf(5) gives for hosts; none for other lines. The C library
/// takes any run of spaces and colons between the name and the first service.
fn hosts_services(line: &str) -> Option<&str> {
    let is_between = |c: char| c == ':' || is_space(c);
    let rest = line.trim_start_matches(is_space).strip_prefix("hosts")?;
    rest.starts_with(is_between).then_some(())?;
    Some(rest.trim_start_matches(is_between))
}

/// As isspace(3) has it.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

/// The services of the first line for hosts in an nsswitch.conf(5), with the actions in brackets
/// and without a comment; none if there is no such line.
pub fn hosts_line(nsswitch_conf: &str) -> Option<&str> {
    let services = nsswitch_conf.lines().find_map(hosts_services)?;
    Some(services.split('#').next().unwrap_or_default().trim())
}

/// Name servers that glibc asks (MAXNS of resolv.h).
const SERVERS: usize = 3;

/// The name servers of a resolv.conf(5), as they are written there; the one that glibc asks where
/// none is named.
pub fn name_servers(resolv_conf: &str) -> Vec<&str> {
    let all = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()
    });
    let all: Vec<_> = all.take(SERVERS).collect();
    if all.is_empty() {
        vec!["127.0.0.1"]
    } else {
        all
    }
}

/// Whether the options of a resolv.conf(5) have name servers asked over TCP.
pub fn uses_tcp(resolv_conf: &str) -> bool {
    let words = |line: &str| line.split_ascii_whitespace().any(|word| word == "use-vc");
    let mut options = resolv_conf.lines().filter(|it| it.starts_with("options"));
    options.any(words)
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
    let mut rest = services.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |at| at + 1)
        } else {
            rest.find(|c: char| is_space(c) || c == '[')
                .unwrap_or(rest.len())
        };
        found.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(is_space);
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
            ("files resolve\u{b}dns", "files dns"),
        ];
        for (host, wanted) in cases {
            assert_eq!(without_resolve(host), wanted, "{host}");
        }
    }

    #[test]
    fn resolve_leaves_every_line_that_the_c_library_takes_for_one_of_hosts() {
        let name = NetnsName::parse("office").unwrap();
        let lines = [
            "hosts:resolve dns",
            "hosts : resolve dns",
            "hosts resolve dns",
            "hosts\t::\u{b}resolve dns",
            "\u{b} hosts: resolve dns",
        ];
        for line in lines {
            let text = nsswitch_conf(&name, line);
            assert!(text.ends_with("\nhosts: dns\n"), "{line:?}: {text}");
            assert_eq!(hosts_line(line), Some("resolve dns"), "{line:?}");
        }
        for line in ["hostsx: resolve", "xhosts: resolve", "# hosts: resolve"] {
            assert!(nsswitch_conf(&name, line).ends_with(&format!("\n{line}\n")));
            assert_eq!(hosts_line(line), None, "{line:?}");
        }
    }

    #[test]
    fn name_servers_are_those_that_glibc_asks() {
        let text = "# nameserver 192.0.2.1\nnameserver 192.0.2.2\n;nameserver x\nnameservers y\n\
                    search a\nnameserver\tfe80::1%host  \nnameserver 192.0.2.3\nnameserver 192.0.2.4\n";
        let servers = ["192.0.2.2", "fe80::1%host", "192.0.2.3"];
        assert_eq!(name_servers(text), servers);
        assert_eq!(name_servers("search a\nnameserver\n"), ["127.0.0.1"]);
        assert!(uses_tcp("options edns0 use-vc\n") && !uses_tcp("# options use-vc\n"));
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
