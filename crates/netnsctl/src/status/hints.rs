//! Next steps for what `status` shows.

use std::borrow::Cow;

use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::name::NetnsRef;

use super::wire::{Forward, Report};

/// What to look at after the target of a forward could not be reached, for each reason that has a
/// cause of its own (connect(2)). Counters do not forget, so each tells of the past.
pub(super) fn about(forward: &Forward) -> Vec<String> {
    let Forward {
        netns,
        connect,
        counters,
        ..
    } = forward;
    let reasons = counters.iter().flat_map(|it| it.tcp.connect_errors.keys());
    let path = match connect {
        ForwardAddress::Unix(path) => Some(path.as_path().display()),
        ForwardAddress::Inet(_) => None,
    };
    let place = match netns.as_str() {
        NetnsRef::HOME => "at home".to_owned(),
        name => format!("in netns {name:?}"),
    };
    let look = |command: &str| match netns.as_str() {
        NetnsRef::HOME => format!("\"{command}\""),
        name => format!("\"netnsctl run {name} -- {command}\""),
    };
    let hint = |reason: &Cow<'static, str>| match (&**reason, &path) {
        ("ECONNREFUSED", Some(path)) => {
            format!("nobody listened at {path} when a client came: its program has ended")
        }
        ("ENOENT", Some(path)) => format!("{path} was not there when a client came"),
        ("EACCES", Some(path)) => {
            format!("the forwarder may not write to {path}: forwarders run as another user")
        }
        ("ECONNREFUSED", None) => format!(
            "nobody listened at {connect} {place} when a client came; {} shows who listens there",
            look("ss -tlnp")
        ),
        ("ENETUNREACH" | "EHOSTUNREACH", None) => format!(
            "there was no way to {connect} {place} when a client came; {} shows its routes",
            look("ip route")
        ),
        ("ETIMEDOUT", None) => format!(
            "{connect} did not answer {place}: that host is down, or a firewall drops what it gets"
        ),
        _ => String::new(),
    };
    reasons.map(hint).filter(|hint| !hint.is_empty()).collect()
}

/// That nothing carries what is declared, if that is so.
pub(super) fn nobody_runs(report: &Report) -> Option<String> {
    let there = report.netns.iter().filter(|netns| netns.inode.is_some());
    let is_silent = there
        .clone()
        .any(|it| it.nscd.enabled && it.nscd.running == Some(false));
    let mut forwards = there.flat_map(|netns| &netns.forwards);
    let idle = |forward: &Forward| forward.running == Some(false);
    let is_idle = forwards.any(idle) || report.home_forwards.iter().any(idle);
    let what = match (is_idle, is_silent) {
        _ if report.serve.is_some() => return None,
        (false, false) => return None,
        (true, false) => "to carry the forwards",
        (false, true) => "to run nscd",
        (true, true) => "to carry the forwards and run nscd",
    };
    Some(format!(
        "no \"netnsctl serve\" runs here {what}; start it, or the units of systemd"
    ))
}

#[cfg(test)]
mod tests {
    use netnsctl_forward::{Counters, Reasons};
    use netnsctl_model::desired::Protocol;

    use super::*;

    fn hints(netns: &str, connect: &str, reason: &'static str) -> Vec<String> {
        let mut counters = Counters::default();
        counters.tcp.connect_errors = Reasons::from([(reason.into(), 7)]);
        about(&Forward {
            number: 1,
            protocol: Protocol::Tcp,
            listen: "127.0.0.1:8080".to_owned(),
            netns: netns.to_owned(),
            connect: connect.parse().unwrap(),
            running: Some(true),
            error: None,
            counters: Some(counters),
        })
    }

    #[test]
    fn each_reason_has_its_next_step() {
        for (netns, connect, reason, part) in [
            (
                "web",
                "127.0.0.1:80",
                "ECONNREFUSED",
                "\"netnsctl run web -- ss -tlnp\"",
            ),
            (
                "default",
                "127.0.0.1:80",
                "ECONNREFUSED",
                "at home when a client came; \"ss -tlnp\"",
            ),
            (
                "web",
                "10.0.0.1:80",
                "EHOSTUNREACH",
                "\"netnsctl run web -- ip route\"",
            ),
            ("web", "10.0.0.1:80", "ETIMEDOUT", "a firewall drops"),
            (
                "web",
                "unix:/run/app.sock",
                "ENOENT",
                "/run/app.sock was not there",
            ),
            (
                "web",
                "unix:/run/app.sock",
                "EACCES",
                "may not write to /run/app.sock",
            ),
            (
                "web",
                "unix:/run/app.sock",
                "ECONNREFUSED",
                "its program has ended",
            ),
        ] {
            let hints = hints(netns, connect, reason);
            assert!(hints.len() == 1 && hints[0].contains(part), "{hints:?}");
        }
        assert!(hints("web", "127.0.0.1:80", "ENOBUFS").is_empty());
    }
}
