//! Declarations of known shapes and sizes.

use std::fmt::Write as _;

use netnsctl_model::config::Format;
use netnsctl_model::desired::Desired;

/// Configuration of every shape, by a name for it.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    vec![
        ("ring of 3", ring(3)),
        ("ring of 12", ring(12)),
        ("ring of 60", ring(60)),
        ("hub and 11 spokes", hub(11)),
        ("hub and 59 spokes", hub(59)),
        ("mesh of 6", mesh(6)),
        ("forwards of 60 to home", forwards(60)),
        ("60 alone", (0..60).map(netns).collect()),
    ]
}

pub(crate) fn declared(text: &str) -> Desired {
    crate::read("shape.toml", Format::Toml, text)
}

fn netns(number: usize) -> String {
    format!("[netns.r{number:02}]\naddress = [\"10.0.{number}.1/24\"]\n")
}

fn ring(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let next = (at + 1) % count;
        let _ = write!(
            text,
            "{}[[netns.r{at:02}.veth]]\nnetns = \"r{next:02}\"\naddress = [\"192.168.{at}.1/30\"]\n\
             peer_address = [\"192.168.{at}.2/30\"]\n",
            netns(at)
        );
    }
    text
}

fn hub(count: usize) -> String {
    let mut text = String::from("[netns.hub]\n");
    for at in 0..count {
        let _ = write!(
            text,
            "{}[[netns.r{at:02}.veth]]\nnetns = \"hub\"\n",
            netns(at)
        );
    }
    text
}

fn mesh(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        text.push_str(&netns(at));
        for other in at + 1..count {
            let _ = write!(text, "[[netns.r{at:02}.veth]]\nnetns = \"r{other:02}\"\n");
        }
    }
    text
}

fn forwards(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let port = if at % 3 == 0 { 443 } else { 80 };
        let _ = write!(
            text,
            "{}[[netns.r{at:02}.forward]]\nlisten = \"127.0.0.1:8080\"\nconnect = \"127.0.0.1:{port}\"\n",
            netns(at)
        );
    }
    text
}
