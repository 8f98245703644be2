//! Mistakes in sections whose kinds are on lists: links that stand alone, and entries of tables.

refused!(
    link,
    "link.toml",
    [
        ("nothing given", "[[netns.lab.link]]\n"),
        (
            "unknown kind",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"macvlna\"\n"
        ),
        (
            "a key of another kind",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"bridge\"\nid = 42\n"
        ),
        (
            "no parent",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"macvlan\"\n"
        ),
        (
            "its own parent",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"macvlan\"\nparent = \"a\"\nparent_netns = \"lab\"\n"
        ),
        (
            "values",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"vxlan\"\nid = 16777216\nremote = \"host\"\nport = 0\nlearning = 1\n"
        ),
        (
            "a group and no parent",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"vxlan\"\nid = 1\nremote = \"239.0.0.1\"\n"
        ),
        (
            "two families",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"vxlan\"\nid = 1\nremote = \"fd00::1\"\nlocal = \"192.0.2.1\"\n"
        ),
        (
            "two of one name",
            "[[netns.lab.link]]\ninterface = \"lab\"\nkind = \"bridge\"\n"
        ),
        (
            "no such namespace",
            "[[netns.lab.link]]\ninterface = \"a\"\nkind = \"vxlan\"\nid = 1\nparent_netns = \"lob\"\n"
        ),
    ]
);

refused!(
    rule,
    "rule.toml",
    [
        ("nothing given", "[[netns.lab.rule]]\n"),
        (
            "no table",
            "[[netns.lab.rule]]\npriority = 1\nfrom = \"10.0.0.0/8\"\n"
        ),
        (
            "a table that is not asked",
            "[[netns.lab.rule]]\npriority = 1\naction = \"prohibit\"\ntable = 7\n"
        ),
        (
            "two families",
            "[[netns.lab.rule]]\npriority = 1\nfrom = \"10.0.0.0/8\"\nto = \"fd00::/8\"\ntable = 7\n"
        ),
        (
            "values",
            "[[netns.lab.rule]]\npriority = -1\nfrom = \"10.0.0.1/8\"\nto = \"0.0.0.0/0\"\nuid = \"9-1\"\nprotocol = \"http\"\nport = \"1-70000\"\ntable = 0\n"
        ),
        (
            "twice",
            "[[netns.lab.rule]]\npriority = 1\ntable = 7\n[[netns.lab.rule]]\ntable = 7\npriority = 1\n"
        ),
    ]
);
