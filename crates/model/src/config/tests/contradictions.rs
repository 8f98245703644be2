//! Keys of which one rules out what another needs.

refused!(
    contradictions,
    "contradictions.toml",
    [
        (
            "IPv6 is off, and an address needs it",
            "[netns.office]\naddress = [\"10.0.0.1/24\", \"fd00::1/64\"]\n[netns.office.sysctl]\n\"net.ipv6.conf.all.disable_ipv6\" = 1\n"
        ),
        (
            "IPv6 is off for new links, and an address at an end from elsewhere needs it",
            "[netns.office.sysctl]\n\"net.ipv6.conf.default.disable_ipv6\" = true\n[netns.shop]\n[[netns.shop.veth]]\nnetns = \"office\"\npeer_address = [\"fd00::1/64\"]\n"
        ),
        (
            "IPv6 is off on one link, and a route needs it",
            "[netns.office]\n[[netns.office.veth]]\ninterface = \"up.1\"\n[[netns.office.route]]\nto = \"fd00::/8\"\ninterface = \"up.1\"\n[netns.office.sysctl]\n\"net.ipv6.conf.up/1.disable_ipv6\" = \"1\"\n"
        ),
        (
            "IPv6 is off, and a forward listens at its loopback address",
            "[[netns.office.forward]]\nlisten = \"[::1]:80\"\nconnect = \"127.0.0.1:80\"\n[netns.office.sysctl]\n\"net.ipv6.conf.all.disable_ipv6\" = 1\n"
        ),
        (
            "IPv6 is off, and a forward connects to its loopback address",
            "[[netns.default.forward]]\nlisten = \"127.0.0.1:80\"\nnetns = \"office\"\nconnect = \"[::1]:80\"\n[netns.office.sysctl]\n\"net.ipv6.conf.lo.disable_ipv6\" = 1\n"
        ),
        (
            "mtu too small for IPv6",
            "[[netns.office.veth]]\nmtu = 1279\npeer_address = [\"fd00::1/64\"]\n"
        ),
        (
            "mtu of a link too small for IPv6",
            "[[netns.office.link]]\ninterface = \"d\"\nkind = \"dummy\"\nmtu = 1000\naddress = [\"fd00::1/64\"]\n"
        ),
        (
            "mtu too small for IPv6 routes",
            "[[netns.office.veth]]\nmtu = 1279\n[[netns.office.route]]\nto = \"fd00::/8\"\ninterface = \"host\"\n"
        ),
        (
            "mtu too small for IPv6 parameters",
            "[[netns.office.veth]]\nmtu = 1279\n[netns.office.sysctl]\n\"net.ipv6.conf.host.accept_ra\" = 0\n"
        ),
        (
            "gateway is the namespace itself",
            "[netns.office]\naddress = [\"fd00::1/64\"]\n[[netns.office.route]]\nto = \"default\"\nvia = \"fd00::1\"\n"
        ),
        (
            "outgoing connections from privileged ports",
            "[netns.office.sysctl]\n\"net.ipv4.ip_local_port_range\" = \"20000 30000\"\n\"net.ipv4.ip_unprivileged_port_start\" = 30000\n"
        ),
    ]
);

/// What looks like a contradiction and is none.
#[test]
fn what_the_kernel_takes_is_no_contradiction() {
    let off = "\"net.ipv6.conf.all.disable_ipv6\" = 1\n";
    for text in [
        // The link's own key counts.
        format!("[netns.a]\naddress = [\"fd00::1/64\"]\n[netns.a.sysctl]\n{off}\"net.ipv6.conf.a.disable_ipv6\" = 0\n"),
        format!("[netns.a]\naddress = [\"fd00::1/64\"]\n[netns.a.sysctl]\n{off}\"net.ipv6.conf.default.disable_ipv6\" = 0\n"),
        // Another namespace's.
        format!("[netns.a]\naddress = [\"fd00::1/64\"]\n[netns.b.sysctl]\n{off}"),
        // `lo` is there before new links are.
        "[[netns.a.forward]]\nlisten = \"[::1]:80\"\nconnect = \"127.0.0.1:80\"\n[netns.a.sysctl]\n\"net.ipv6.conf.default.disable_ipv6\" = 1\n".to_owned(),
        // IPv4 alone.
        format!("[netns.a]\naddress = [\"10.0.0.1/24\"]\n[[netns.a.veth]]\nmtu = 1000\n[netns.a.sysctl]\n{off}"),
        // The kernel takes an IPv4 gateway that is the namespace itself.
        "[netns.a]\naddress = [\"10.0.0.1/24\"]\n[[netns.a.route]]\nto = \"default\"\nvia = \"10.0.0.1\"\n".to_owned(),
        "[netns.a.sysctl]\n\"net.ipv4.ip_local_port_range\" = \"20000 30000\"\n\"net.ipv4.ip_unprivileged_port_start\" = 20000\n".to_owned(),
    ] {
        super::desired(&[("a.toml", &text)]);
    }
}
