//! Files that are no TOML or JSON, or too much of it.

refused!(
    syntax,
    "syntax.toml",
    [
        (
            "several",
            "[netns.office\naddress = [\"10.0.0.1\"\nipv4_forwarding = yes\n\n[netns.other]\ninterface = 'x\nipv6_forwarding = \"no\"\n"
        ),
        (
            "unquoted",
            "[netns.office]\naddress = [10.0.0.1/24]\nipv4_forwarding = yes\ninterface = null\n[netns.office.nscd]\ncache = 10s\nenable =\n",
        ),
        (
            "one a line",
            "// comment\n[netns.office\ninterface = \"x\"\n[netns.b]\ninterface\nadress = []\n[netns.b.dns]\nsearch = [\"a]\noptions = \"a\" \"b\"\n[[netns.b.veth]\nnets = 1\n[netns.c]\ninterface = \"\u{7}\"\n",
        ),
        (
            "a string is never closed",
            "[netns.office]\ninterface = \"x\nadress = 1\n"
        ),
        (
            "a character no string has",
            "[netns.office]\ninterface = \"\u{7}\"\n"
        ),
        ("two values", "[netns.office]\ninterface = \"a\" \"b\"\n"),
        ("one bracket short", "[[netns.office.veth]\nnets = 1\n"),
        (
            "escape, number and key that are none",
            "[netns.office]\ninterface = \"\\q\"\n= 1\n[[netns.office.veth]]\nmtu = 01400\n"
        ),
        (
            "arrays in arrays",
            &format!("netns = {}{}\n", "[".repeat(100), "]".repeat(100))
        ),
        (
            "a list is never closed",
            "[netns.office]\naddress = [\"10.0.0.1\"\ninterface = 'x'\n[netns.b]\nadress = 1\n"
        ),
        (
            "a table is never closed",
            "[netns.office]\nrun = { users = [\"a\"]\n[netns.b]\nadress = 1\n"
        ),
        (
            "and a mistake that is none of syntax",
            "[netns.office]\ninterface = nonsense\nadress = []\n"
        ),
        (
            "stray carriage return",
            "[netns.office]\rinterface = \"a\"\n"
        ),
        (
            "keys without end",
            &format!("[netns{}]\n", ".a".repeat(100_000))
        ),
        (
            "arrays without end",
            &format!("netns = {}\n", "[".repeat(100_000))
        ),
        (
            "tables without end",
            &format!("[netns]\na = {}1{}\n", "{a=".repeat(79), "}".repeat(79))
        ),
        (
            "dotted keys in tables without end",
            &format!(
                "{}1{}\n",
                format!("{}=", ["a"; 31].join("."))
                    + &format!("{{{}=", ["a"; 31].join(".")).repeat(79),
                "}".repeat(79)
            ),
        ),
        (
            "behind a byte order mark, lines ended as on Windows",
            "\u{feff}[netns.office]\r\nadress = []\r\n"
        ),
        (
            "wide characters before",
            "[netns.\"日本\"]\ninterface = \"日本\"\n[netns.b.dns]\nsearch = [\"日本 語\"]\n"
        ),
    ]
);

refused!(
    json,
    "file.json",
    [
        ("empty", ""),
        ("no object", "[1]"),
        ("comment", "{\n  // why\n  \"netns\": {}\n}"),
        ("trailing comma", "{\n  \"netns\": {},\n}"),
        ("missing comma", "{ \"netns\": { \"a\": {} \"b\": {} } }"),
        ("single quotes", "{ 'netns': {} }"),
        ("bare key", "{ netns: {} }"),
        ("not closed", "{ \"netns\": {"),
        (
            "list not closed",
            "{ \"netns\": { \"a\": { \"address\": [ \"10.0.0.1\" } } }"
        ),
        (
            "string not closed",
            "{ \"netns\": { \"a\": { \"interface\": \"x } } }\n"
        ),
        (
            "string over two lines",
            "{ \"netns\": { \"a\": { \"interface\": \"x\ny\" } } }\n"
        ),
        ("two values", "{} {}"),
        (
            "twice",
            "{ \"netns\": { \"office\": { \"interface\": \"a\" },\n             \"office\": { \"interface\": \"b\" } } }"
        ),
        (
            "null",
            "{ \"netns\": { \"office\": { \"interface\": null } } }"
        ),
        (
            "unknown",
            "{ \"netns\": { \"office\": { \"adress\": [] } } }"
        ),
        (
            "types",
            "{\n  \"netns\": {\n    \"office\": {\n      \"interface\": 1,\n      \"address\": \"10.0.0.1\",\n      \"dns\": [],\n      \"forward\": {\n      },\n      \"veth\": [ { \"mtu\": 1e3 } ]\n    }\n  }\n}\n"
        ),
        (
            "values",
            "{ \"netns\": { \"averyveryverylongname\": {\n  \"address\": [ \"10.0.0.1/33\" ],\n  \"nscd\": { \"cache\": 10 },\n  \"sysctl\": { \"net.ipv4.ip_forward\": true },\n  \"forward\": [ { \"listen\": \"::1:80\" } ] } } }"
        ),
        ("nested without end", &"[".repeat(100_000)),
        (
            "nested deep",
            &format!(
                "{}{}",
                "{\"netns\":".repeat(40),
                "{".to_owned() + &"}".repeat(41)
            )
        ),
        ("behind a byte order mark", "\u{feff}{ \"x\": 1 }"),
        (
            "control characters",
            "{ \"netns\": { \"a\": { \"run\": { \"users\": [ \"x\\u001b]0;y\", \"z\u{1b}]0;\" ] } } } }"
        ),
    ]
);
