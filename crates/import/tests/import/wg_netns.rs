//! Profiles of wg-netns and what is made of them.

use netnsctl_import::{WgNetnsError, of_wg_netns};
use proptest::prelude::*;

use crate::accepted;

const PROFILE: &str = r#"{
  "name": "ns-example",
  "managed": true,
  "dns-server": ["10.10.10.1", "fd00::1"],
  "pre-up": "echo soon",
  "new-key": 1,
  "interfaces": [
    {
      "name": "ns-example",
      "address": ["10.10.10.192/32", "fc00:dead:beef::192/128"],
      "private-key": "SECRET1",
      "listen-port": 51821,
      "peers": [
        {
          "name": "peer",
          "public-key": "PUBLIC",
          "preshared-key": "SECRET2",
          "endpoint": "vpn.example.com:51820",
          "allowed-ips": ["0.0.0.0/0", "::/0"]
        }
      ]
    }
  ]
}"#;

#[test]
fn a_profile_becomes_its_namespace_and_its_links_are_told() {
    let text = of_wg_netns(PROFILE).unwrap();
    let desired = accepted(&text);
    let netns = desired.netns.values().next().unwrap();
    assert_eq!(netns.dns.nameservers, ["10.10.10.1", "fd00::1"]);
    // The profile's own link has the namespace's name.
    assert_eq!(netns.holder.interface.as_str(), "own0");
    for wanted in [
        "# not expressed: wireguard ns-example: make it in home and move it in; addresses 10.10.10.192/32, fc00:dead:beef::192/128; mtu 1420; set by wg(8): listen-port, peers, private-key",
        "# not expressed: route 0.0.0.0/0 dev ns-example",
        "# not expressed: route ::/0 dev ns-example",
        "# not expressed: \"pre_up\"",
        "# not expressed: \"new_key\"",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains("SECRET"), "{text}");
}

#[test]
fn what_is_no_profile_is_refused() {
    assert!(matches!(of_wg_netns("name: x"), Err(WgNetnsError::Json(_))));
    assert_eq!(of_wg_netns("[]"), Err(WgNetnsError::NoObject));
    assert_eq!(of_wg_netns("{\"name\": null}"), Err(WgNetnsError::NoName));
    let text =
        of_wg_netns("{\"name\": \"a\", \"dns-server\": [\"x\"], \"interfaces\": [1, {}]}").unwrap();
    accepted(&text);
    assert!(
        text.contains("# not expressed: dns x: \"x\" is not an IP address"),
        "{text}"
    );
    accepted(&of_wg_netns("{\"name\": \"a/b\"}").unwrap());
    accepted(&of_wg_netns("{\"name\": \"default\"}").unwrap());
}

proptest! {
    #[test]
    fn any_name_and_server_give_a_text_that_is_accepted(
        name in "[ -~é\n\u{202e}]{0,20}",
        server in "[0-9a-f.:% \n]{0,12}",
        link in "[ -~\n]{0,16}",
    ) {
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let profile = format!(
            "{{\"name\": {}, \"dns-server\": [{}], \"interfaces\": [{{\"name\": {}}}]}}",
            quote(&name), quote(&server), quote(&link),
        );
        accepted(&of_wg_netns(&profile).unwrap());
    }
}
