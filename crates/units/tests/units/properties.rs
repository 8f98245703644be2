//! What holds for the units of any configuration.

use std::collections::BTreeSet;

use netnsctl_model::desired::Desired;
use netnsctl_model::testing::desired;
use netnsctl_units::{Entry, Units, units};
use proptest::prelude::*;

use crate::facts;

/// Units of systemd's own that ours name.
const WELL_KNOWN: [&str; 4] = [
    "network-pre.target",
    "network.target",
    "shutdown.target",
    "sysinit.target",
];

/// Every key that a unit of ours may set. Whatever else begins a line came from outside.
const KEYS: &[&str] = &[
    "After",
    "AmbientCapabilities",
    "Backlog",
    "Before",
    "BindIPv6Only",
    "BindReadOnlyPaths",
    "BindToDevice",
    "CapabilityBoundingSet",
    "Conflicts",
    "DefaultDependencies",
    "Description",
    "DirectoryMode",
    "Documentation",
    "DynamicUser",
    "ExecReload",
    "ExecStart",
    "ExecStop",
    "ExecStopPost",
    "FileDescriptorName",
    "FreeBind",
    "KeyringMode",
    "ListenDatagram",
    "ListenStream",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NetworkNamespacePath",
    "NoNewPrivileges",
    "PartOf",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "RefuseManualStart",
    "RemainAfterExit",
    "RemoveIPC",
    "RemoveOnStop",
    "Requires",
    "Restart",
    "RestartSec",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "Service",
    "SocketMode",
    "Sockets",
    "SourcePath",
    "StartLimitIntervalSec",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
    "TemporaryFileSystem",
    "TimeoutSec",
    "TimeoutStopSec",
    "TriggerLimitIntervalSec",
    "Type",
    "UMask",
    "Wants",
];

/// Settings whose values are lists of units.
const OF_UNITS: [&str; 8] = [
    "After",
    "Before",
    "Conflicts",
    "PartOf",
    "Requires",
    "Service",
    "Sockets",
    "Wants",
];

fn files(units: &Units) -> impl Iterator<Item = (&str, &str)> {
    units
        .entries
        .iter()
        .filter_map(|(name, entry)| match entry {
            Entry::File(text) => Some((name.as_str(), text.as_str())),
            Entry::Link(_) => None,
        })
}

/// Namespaces that were made and are not of `desired`.
fn leftovers(desired: &Desired) -> usize {
    let made = facts(desired, "/usr/bin/netnsctl").made;
    let left = made
        .iter()
        .filter(|name| !desired.netns.contains_key(*name));
    left.count()
}

/// The settings of a unit.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with(['#', '[']) && !line.is_empty());
    lines.map(|line| {
        line.split_once('=')
            .unwrap_or_else(|| panic!("{line:?} is no setting"))
    })
}

/// Whether each `%` and, in a command line, each `$` stands twice.
fn is_doubled(value: &str, sign: char) -> bool {
    let mut rest = value;
    while let Some(at) = rest.find(sign) {
        match rest[at + 1..].strip_prefix(sign) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_unit_that_is_named_exists_and_every_link_leads_to_one(desired in desired()) {
        let units = units(&desired, &facts(&desired, "/usr/bin/netnsctl"));
        let names: BTreeSet<_> = files(&units).map(|(name, _)| name).collect();
        for (name, text) in files(&units) {
            for (key, value) in settings(text).filter(|(key, _)| OF_UNITS.contains(key)) {
                for other in value.split(' ') {
                    prop_assert!(
                        names.contains(other) || WELL_KNOWN.contains(&other),
                        "{}: {}={}", name, key, other
                    );
                    prop_assert!(other != name, "{} names itself", name);
                }
            }
        }
        for (path, entry) in &units.entries {
            if let Entry::Link(target) = entry {
                let name = target.strip_prefix("../").unwrap_or_default();
                prop_assert!(names.contains(name), "{} leads to {}", path, target);
                let wants = format!("multi-user.target.wants/{name}");
                prop_assert_eq!(path, &wants);
            }
        }
        // What is not declared any more is not wanted.
        prop_assert_eq!(units.entries.len(), 2 * names.len() - leftovers(&desired));
    }

    #[test]
    fn nothing_from_outside_leaves_its_setting(desired in desired()) {
        let units = units(&desired, &facts(&desired, "/opt/my $tools 100%/netnsctl"));
        for (name, text) in files(&units) {
            prop_assert!(name.is_ascii() && !name.contains(['/', ' ', '%', '@']), "{}", name);
            prop_assert!(name.len() <= 255);
            prop_assert!(!text.contains('\r') && !text.contains("\\\n"), "{}", text);
            for (key, value) in settings(text) {
                prop_assert!(KEYS.contains(&key), "{} in {}", key, name);
                prop_assert!(is_doubled(value, '%'), "{}={}", key, value);
                prop_assert!(!value.starts_with(' ') && !value.ends_with(' '));
                if let (true, Some((_, arguments))) = (key.starts_with("Exec"), value.split_once("netnsctl\"")) {
                    prop_assert!(is_doubled(arguments, '$'), "{}={}", key, value);
                }
            }
        }
    }

    #[test]
    fn what_has_no_unit_is_said(desired in desired()) {
        let units = units(&desired, &facts(&desired, "/usr/bin/netnsctl"));
        let services = files(&units).filter(|(name, _)| name.ends_with(".service")).count()
            - leftovers(&desired);
        let daemons = desired.netns.values().filter(|netns| netns.nscd.enable).count();
        let links: usize = desired.netns.values().map(|netns| netns.links.len()).sum();
        let declared = 2 * desired.netns.len() + daemons + desired.veths.len() + links
            + desired.all_forwards().count();
        if units.left_out.is_empty() {
            prop_assert_eq!(services, declared);
        } else {
            prop_assert!(services < declared);
        }
    }
}
