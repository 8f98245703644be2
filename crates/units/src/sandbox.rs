//! What the two long-running parts may not do (systemd.exec(5)).
//!
//! They seal themselves once they serve; this is what holds before, and a second layer after. Of
//! what `systemd-analyze security` asks for, they keep what they are for: sockets, and a network.

/// For everything that runs for long. DynamicUser= also implies RemoveIPC=, PrivateTmp=,
/// NoNewPrivileges= and ProtectSystem=strict; they are here for whoever reads.
pub(crate) const COMMON: &[(&str, &str)] = &[
    ("DynamicUser", "yes"),
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
    ("NoNewPrivileges", "yes"),
    ("UMask", "0077"),
    ("ProtectSystem", "strict"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("PrivateIPC", "yes"),
    ("PrivateMounts", "yes"),
    ("PrivateUsers", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("ProcSubset", "pid"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("RemoveIPC", "yes"),
    ("KeyringMode", "private"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallErrorNumber", "EPERM"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallFilter", "~@privileged @resources"),
    // With these the program seals itself; systemd before 256 does not count them in.
    (
        "SystemCallFilter",
        "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    ),
];

/// For the units that make namespaces. Nothing here makes a mount namespace (systemd.exec(5) says
/// of each setting whether it does): the host has to see what they mount.
pub(crate) const MAKER: &[(&str, &str)] = &[
    (
        "CapabilityBoundingSet",
        "CAP_NET_ADMIN CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_DAC_OVERRIDE",
    ),
    ("NoNewPrivileges", "yes"),
    (
        "RestrictAddressFamilies",
        "AF_NETLINK AF_UNIX AF_INET AF_INET6",
    ),
    ("RestrictRealtime", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("SystemCallArchitectures", "native"),
];
