use super::printed;

refused!(
    keys,
    "keys.toml",
    [
        ("unknown at the top", "[netsn.office]\n"),
        ("unknown, nothing like it", "version = 1\n"),
        (
            "unknown in a namespace",
            "[netns.office]\nadress = [\"10.0.0.1\"]\n"
        ),
        (
            "unknown, all listed",
            "[netns.office.run]\nwhoever = [\"alice\"]\n"
        ),
        (
            "unknown in a list of tables",
            "[netns.office]\nroute = [{ to = \"default\", gateway = \"10.0.0.1\", interface = \"office\" }]\n"
        ),
        (
            "home takes little",
            "[netns.default]\naddress = [\"10.0.0.1\"]\nforwards = []\n"
        ),
        (
            "twice",
            "[netns.office]\ninterface = \"a\"\ninterface = \"b\"\n"
        ),
        (
            "table twice",
            "[netns.office]\n[netns.other]\n[netns.\"office\"]\n"
        ),
    ]
);

refused!(
    types,
    "types.toml",
    [
        ("netns is no table", "netns = \"office\"\n"),
        ("a namespace is no table", "[netns]\noffice = true\n"),
        ("a namespace is a list", "[[netns.office]]\n"),
        ("string", "[netns.office]\ninterface = 1\n"),
        (
            "array of strings",
            "[netns.office]\naddress = \"10.0.0.1/24\"\n"
        ),
        (
            "among strings",
            "[netns.office]\naddress = [\"10.0.0.1/24\", 7, 1.5, { a = 1 }]\n"
        ),
        ("boolean", "[netns.office]\nipv4_forwarding = \"yes\"\n"),
        ("integer", "[[netns.office.veth]]\nmtu = \"1400\"\n"),
        ("a fraction", "[[netns.office.veth]]\nmtu = 1400.5\n"),
        ("a date", "[netns.office.nscd]\ncache = 2024-01-01\n"),
        ("a table", "[netns.office]\ndns = [\"1.1.1.1\"]\n"),
        (
            "one bracket",
            "[netns.office.forward]\nlisten = \"127.0.0.1:80\"\n"
        ),
        ("two brackets", "[[netns.office.dns]]\nsearch = []\n"),
        ("among tables", "[netns.office]\nveth = [{}, \"default\"]\n"),
        (
            "sysctl is no table",
            "[netns.office]\nsysctl = \"net.ipv4.tcp_sack=0\"\n"
        ),
        (
            "integer out of range",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\nmax_connections = 0\n[[netns.office.forward]]\nlisten = \"127.0.0.1:81\"\nconnect = \"127.0.0.1:80\"\nmax_connections = 99999999999999999999\n"
        ),
        (
            "a list over many lines",
            "[netns.office]\ninterface = [\n  \"a\",\n  \"b\",\n]\n"
        ),
    ]
);

refused!(
    names,
    "names.toml",
    [
        ("slash", "[netns.\"a/b\"]\n"),
        ("dots", "[netns.\"..\"]\n"),
        ("empty", "[netns.\"\"]\n"),
        ("dash", "[netns.-x]\n"),
        ("control character in a key", "[netns.\"a\\u001b[2J\"]\n"),
        (
            "control character in the text",
            "[netns.office]\ninterface = \"a\u{202e}b\u{9b}c\"\n"
        ),
        (
            "control characters in comments",
            "# a\u{202e}b\u{2066}c\n[netns.office] # \u{61c}\n"
        ),
        (
            "interface too long",
            "[netns.office]\ninterface = \"sixteen-bytes-xy\"\n"
        ),
        (
            "interface with a space",
            "[netns.office]\ninterface = \"of fice\"\n"
        ),
        ("interface lo", "[netns.office]\ninterface = \"lo\"\n"),
        (
            "namespace too long for its link",
            "[netns.averyveryverylongname]\n"
        ),
        ("namespace named as a kernel folder", "[netns.all]\n"),
        (
            "long names need peer_interface",
            "[netns.averyveryverylongname]\ninterface = \"long\"\n[[netns.averyveryverylongname.veth]]\n"
        ),
        (
            "long names need interface",
            "[netns.averyveryverylongname]\ninterface = \"long\"\n[[netns.b.veth]]\nnetns = \"averyveryverylongname\"\n"
        ),
        ("reference", "[[netns.office.veth]]\nnetns = \"../etc\"\n"),
        (
            "a unit of one is named as the other",
            "[netns.a]\n[netns.a-nscd]\n[netns.a-extra-veth-1-b]\ninterface = \"x\"\n\
             [netns.a-port-forward-12-b-tcp]\ninterface = \"x\"\n[netns.a-extra-veth-b]\n\
             [netns.default]\n[netns.default-port-forward-1-a-tcp]\ninterface = \"x\"\n"
        ),
        (
            "reserved peer",
            "[[netns.office.veth]]\npeer_interface = \"lo\"\n"
        ),
    ]
);

refused!(
    holder,
    "holder.toml",
    [
        ("kind", "[netns.office]\ninterface_kind = \"dumy\"\n"),
        (
            "a value that goes on and on",
            &format!("[netns.office]\ninterface_kind = \"{}\"\n", "x".repeat(500))
        ),
        (
            "kind, nothing like it",
            "[netns.office]\ninterface_kind = \"macvlan\"\n"
        ),
        (
            "no address",
            "[netns.office]\naddress = [\"10.20.0\", \"office\", \"\"]\n"
        ),
        (
            "prefix too long",
            "[netns.office]\naddress = [\"10.20.0.1/33\", \"fd20::1/129\", \"10.20.0.1/\"]\n"
        ),
        (
            "addresses nobody has",
            "[netns.office]\naddress = [\"0.0.0.0/8\", \"224.0.0.1\", \"255.255.255.255\", \"::1\"]\n"
        ),
        (
            "address twice",
            "[netns.office]\naddress = [\"10.20.0.1/24\", \"10.20.0.1/16\"]\n"
        ),
        (
            "address on two links",
            "[netns.office]\naddress = [\"10.20.0.1/24\"]\n[[netns.office.veth]]\naddress = [\"10.20.0.1/24\"]\n"
        ),
    ]
);

refused!(
    services,
    "services.toml",
    [
        (
            "nameserver is no address",
            "[netns.office.dns]\nnameservers = [\"dns.example\", \"1.1.1.1:53\", \"fe80::1\", \"1.1.1.1%eth0\", \"224.0.0.251\"]\n"
        ),
        (
            "loopback nameserver",
            "[netns.office.dns]\nnameservers = [\"127.0.0.53\", \"::1\"]\n"
        ),
        ("no nameserver", "[netns.office.dns]\nnameservers = []\n"),
        (
            "search and options",
            "[netns.office.dns]\nsearch = [\"a b\", \"\"]\noptions = [\"timeout:1\\nnameserver 6.6.6.6\"]\n"
        ),
        ("cache without a unit", "[netns.office.nscd]\ncache = 10\n"),
        (
            "cache without a unit, quoted",
            "[netns.office.nscd]\ncache = \"10\"\n"
        ),
        (
            "cache is no time",
            "[netns.office.nscd]\ncache = \"soon\"\n"
        ),
        ("cache for ages", "[netns.office.nscd]\ncache = \"1000d\"\n"),
        (
            "users and groups",
            "[netns.office.run]\nusers = [\"\"]\ngroups = [\"a\\tb\"]\n"
        ),
    ]
);

refused!(
    sysctl,
    "sysctl.toml",
    [
        (
            "outside net",
            "[netns.office.sysctl]\n\"kernel.panic\" = 1\n"
        ),
        (
            "climbing out",
            "[netns.office.sysctl]\n\"net.//.kernel.panic\" = 1\n\"net..x\" = 1\n"
        ),
        (
            "not quoted",
            "[netns.office.sysctl]\nnet.ipv4.tcp_sack = 0\n"
        ),
        (
            "forwarding",
            "[netns.office.sysctl]\n\"net.ipv4.ip_forward\" = 1\n\"net.ipv6.conf.all.forwarding\" = true\n"
        ),
        (
            "values",
            "[netns.office.sysctl]\n\"net.core.somaxconn\" = 1.5\n\"net.ipv4.ip_local_reserved_ports\" = [1, 2]\n\"net.ipv4.tcp_rmem\" = \"1\\n2\"\n\"net.ipv4.tcp_sack\" = 99999999999999999999\n"
        ),
    ]
);

refused!(
    forward,
    "forward.toml",
    [
        ("nothing given", "[[netns.office.forward]]\n"),
        ("nothing given, inline", "[netns.office]\nforward = [{}]\n"),
        (
            "protocol",
            "[[netns.office.forward]]\nprotocol = \"sctp\"\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\n"
        ),
        (
            "endpoints",
            "[[netns.office.forward]]\nlisten = \"8080\"\nconnect = \"localhost:80\"\n[[netns.office.forward]]\nlisten = \"::1:80\"\nconnect = \"127.0.0.1\"\n[[netns.office.forward]]\nlisten = \"*:80\"\nconnect = \"127.0.0.1:99999\"\n[[netns.office.forward]]\nlisten = \"[fe80::1]:80\"\nconnect = \"[::1%lo]:80\"\n[[netns.office.forward]]\nlisten = \"[fe80::1%a b]:80\"\nconnect = \"web\"\n[[netns.office.forward]]\nlisten = \"224.0.0.1:80\"\nconnect = \"0.0.0.0:80\"\n"
        ),
        (
            "unknown namespace",
            "[netns.backend]\n[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nnetns = \"bakend\"\nconnect = \"127.0.0.1:80\"\n"
        ),
        (
            "one endpoint twice",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\n[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:81\"\n"
        ),
        (
            "all addresses and one",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\n[[netns.office.forward]]\nlisten = \"0.0.0.0:80\"\nconnect = \"127.0.0.1:80\"\n"
        ),
        (
            "both families",
            "[[netns.office.forward]]\nprotocol = \"udp\"\nlisten = \"[::]:53\"\nconnect = \"127.0.0.1:53\"\n[[netns.office.forward]]\nprotocol = \"udp\"\nlisten = \"10.0.0.1:53\"\nconnect = \"127.0.0.1:53\"\n"
        ),
        (
            "to itself",
            "[[netns.office.forward]]\nlisten = \"0.0.0.0:80\"\nnetns = \"office\"\nconnect = \"127.0.0.1:80\"\n"
        ),
        (
            "to its own address",
            "[netns.office]\naddress = [\"10.0.0.1/24\"]\n[[netns.office.forward]]\nlisten = \"[::]:80\"\nnetns = \"office\"\nconnect = \"10.0.0.1:80\"\n",
        ),
        (
            "interface of a link-local target",
            "[netns.b]\n[[netns.office.forward]]\nlisten = \"[::]:80\"\nnetns = \"b\"\nconnect = \"[fe80::1%x]:80\"\n",
        ),
        (
            "in a circle",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:81\"\n[[netns.default.forward]]\nlisten = \"127.0.0.1:81\"\nnetns = \"office\"\nconnect = \"127.0.0.1:80\"\n"
        ),
        (
            "limits",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\nconnect_timeout = \"0s\"\nhalf_close_timeout = 5\n"
        ),
        (
            "limits of the other protocol",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\nudp_timeout = \"5s\"\n[[netns.office.forward]]\nprotocol = \"udp\"\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\nmax_connections = 5\n"
        ),
        (
            "unix sockets",
            "[[netns.office.forward]]\nlisten = \"unix:app.sock\"\nconnect = \"/run/app.sock\"\n[[netns.office.forward]]\nlisten = \"unix:@app\"\nconnect = \"unix:/run/../app.sock\"\n[[netns.office.forward]]\nprotocol = \"udp\"\nlisten = \"unix:/run/a.sock\"\nconnect = \"unix:/run/b.sock\"\n[[netns.office.forward]]\nlisten = \"unix:/run/a\\u0000.sock\"\nconnect = \"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n",
        ),
        (
            "one unix socket twice",
            "[[netns.a.forward]]\nlisten = \"unix:/run/app.sock\"\nconnect = \"127.0.0.1:80\"\n[[netns.b.forward]]\nlisten = \"unix:/run/app.sock\"\nconnect = \"127.0.0.1:80\"\n",
        ),
        (
            "a circle by way of a unix socket",
            "[[netns.a.forward]]\nlisten = \"unix:/run/app.sock\"\nnetns = \"b\"\nconnect = \"127.0.0.1:80\"\n[[netns.b.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"unix:/run/app.sock\"\n",
        ),
        (
            "a namespace for a unix socket",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nnetns = \"office\"\nconnect = \"unix:/run/app.sock\"\n",
        ),
        (
            "keepalive",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\nkeepalive = \"1s500ms\"\nkeepalive_probes = 128\n[[netns.office.forward]]\nlisten = \"127.0.0.1:81\"\nconnect = \"127.0.0.1:80\"\nkeepalive = \"10h\"\nkeepalive_probes = \"3\"\n[[netns.office.forward]]\nlisten = \"127.0.0.1:82\"\nconnect = \"127.0.0.1:80\"\nkeepalive = \"0s\"\nkeepalive_probes = 3\n",
        ),
        (
            "workers",
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\nworkers = 0\n[[netns.office.forward]]\nlisten = \"127.0.0.1:81\"\nconnect = \"127.0.0.1:80\"\nworkers = \"all\"\n[[netns.office.forward]]\nlisten = \"127.0.0.1:82\"\nconnect = \"127.0.0.1:80\"\nworkers = true\nproxy_protocol = \"v2\"\n",
        ),
        (
            "manners of the other protocol",
            "[[netns.office.forward]]\nprotocol = \"udp\"\nlisten = \"127.0.0.1:80\"\nconnect = \"127.0.0.1:80\"\nproxy_protocol = true\nkeepalive = \"5s\"\ndrain = \"0s\"\nworkers = 2\n",
        ),
        (
            "interface of a link-local address",
            "[[netns.office.forward]]\nlisten = \"[fe80::1%hots]:80\"\nconnect = \"127.0.0.1:80\"\n[[netns.office.veth]]\n"
        ),
    ]
);

refused!(
    veth,
    "veth.toml",
    [
        (
            "unknown namespace",
            "[[netns.office.veth]]\nnetns = \"backend\"\n"
        ),
        ("to itself", "[[netns.office.veth]]\nnetns = \"office\"\n"),
        ("to itself by default", "[[netns.default.veth]]\n"),
        (
            "one name in one namespace",
            "[netns.office]\ninterface = \"host\"\n[[netns.office.veth]]\n"
        ),
        (
            "name of a holder elsewhere",
            "[netns.backend]\n[[netns.office.veth]]\nnetns = \"backend\"\npeer_interface = \"backend\"\n"
        ),
        (
            "one name in home",
            "[[netns.a.veth]]\npeer_interface = \"x\"\n[[netns.b.veth]]\npeer_interface = \"x\"\n"
        ),
        (
            "twice at one end",
            "[[netns.office.veth]]\n[[netns.office.veth]]\n"
        ),
        (
            "at both ends",
            "[[netns.a.veth]]\nnetns = \"b\"\n[[netns.b.veth]]\nnetns = \"a\"\n"
        ),
        (
            "at both ends, home",
            "[[netns.default.veth]]\nnetns = \"a\"\n[[netns.a.veth]]\n"
        ),
        (
            "one address at both ends",
            "[[netns.office.veth]]\naddress = [\"10.0.0.1/30\"]\npeer_address = [\"10.0.0.1/30\"]\n"
        ),
        ("mtu too small", "[[netns.office.veth]]\nmtu = 67\n"),
        ("mtu too large", "[[netns.office.veth]]\nmtu = 65536\n"),
        (
            "mac",
            "[[netns.office.veth]]\nmac = \"01:00:00:00:00:01\"\npeer_mac = \"2-0-0-0-0-1\"\n"
        ),
        (
            "one mac at both ends",
            "[[netns.office.veth]]\nmac = \"02:00:00:00:00:05\"\npeer_mac = \"02:00:00:00:00:05\"\n"
        ),
        (
            "the default mac of the other end",
            "[[netns.office.veth]]\npeer_mac = \"02:00:00:00:00:01\"\n"
        ),
    ]
);

refused!(
    route,
    "route.toml",
    [
        ("nothing given", "[[netns.office.route]]\n"),
        (
            "host bits",
            "[[netns.office.route]]\nto = \"10.1.2.3/8\"\ninterface = \"office\"\n"
        ),
        (
            "no prefix",
            "[[netns.office.route]]\nto = \"everywhere\"\ninterface = \"office\"\n"
        ),
        (
            "gateways",
            "[[netns.office.route]]\nto = \"default\"\nvia = \"router\"\n[[netns.office.route]]\nto = \"10.0.0.0/8\"\nvia = \"10.0.0.1/24\"\n[[netns.office.route]]\nto = \"11.0.0.0/8\"\nvia = \"127.0.0.1\"\n"
        ),
        (
            "families",
            "[[netns.office.route]]\nto = \"10.0.0.0/8\"\nvia = \"fd00::1\"\ninterface = \"office\"\n"
        ),
        (
            "link-local gateway",
            "[[netns.office.route]]\nto = \"default\"\nvia = \"fe80::1\"\n"
        ),
        (
            "unknown interface",
            "[netns.office]\n[[netns.office.route]]\nto = \"default\"\ninterface = \"wg0\"\n[[netns.office.route]]\nto = \"10.0.0.0/8\"\ninterface = \"ofice\"\n"
        ),
        (
            "bad interface",
            "[[netns.office.route]]\nto = \"default\"\ninterface = \"\"\n"
        ),
        (
            "twice",
            "[[netns.office.route]]\nto = \"default\"\ninterface = \"office\"\n[[netns.office.route]]\nto = \"0.0.0.0/0\"\ninterface = \"office\"\n"
        ),
        (
            "IPv6 twice",
            "[[netns.office.route]]\nto = \"default\"\nvia = \"fe80::1\"\ninterface = \"office\"\n[[netns.office.route]]\nto = \"::/0\"\ninterface = \"office\"\n[[netns.office.route]]\nto = \"fd00::/8\"\ninterface = \"office\"\n[[netns.office.route]]\nto = \"fd00::/8\"\ninterface = \"lo\"\n"
        ),
        (
            "no link known at all",
            "[netns.office]\ninterface = \"a b\"\n[[netns.office.route]]\nto = \"default\"\ninterface = \"wg0\"\n"
        ),
        (
            "gateway out of reach",
            "[netns.office]\naddress = [\"10.20.0.1/24\"]\n[[netns.office.route]]\nto = \"default\"\nvia = \"10.21.0.1\"\n"
        ),
    ]
);

#[test]
fn bytes_that_are_no_text() {
    let sources = [super::Source::from_bytes(
        "latin1.toml",
        super::Format::Toml,
        b"# caf\xe9\n[netns.office]\n",
    )];
    let loaded = super::load(&sources);
    assert!(loaded.desired.is_none());
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("not_utf8", super::render(&sources, &loaded.diagnostics, false));
    });
}

/// Ten mistakes in one file, each of another kind: all are told.
#[test]
fn all_mistakes_at_once() {
    let text = r#"[netns.office]
interfcae = "office"
address = ["10.20.0.1/33"]
ipv4_forwarding = "yes"

[netns.office.nscd]
cache = 10

[netns.office.sysctl]
"kernel.panic" = 1

[[netns.office.forward]]
listen = "127.0.0.1:8080"
netns = "bakend"
connect = "localhost:80"

[[netns.office.veth]]
netns = "office"
mtu = 60

[[netns.office.route]]
to = "10.1.2.3/8"
interface = "office"

[netns.backend]
"#;
    let printed = printed(&[("/etc/netnsctl/ten.toml", text)]);
    assert_eq!(printed.matches("error: ").count(), 10);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("all_at_once", printed);
    });
}
