//! What is drawn: namespaces, veth pairs and forwards, each marked by how it differs from what is
//! declared.

use netnsctl_model::desired::Protocol;
use netnsctl_model::name::NetnsRef;

/// All that is drawn. Places in [`Topology::namespaces`] stand for namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Whether it shows what is there, and not only what is declared.
    pub live: bool,
    /// Home first, then by name.
    pub namespaces: Vec<Namespace>,
    /// Every veth pair once.
    pub veths: Vec<Veth>,
    /// Every forward once.
    pub forwards: Vec<Forward>,
}

/// How something compares with its declaration. Of a topology that is not live everything is as
/// declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mark {
    /// It is as it should be.
    #[default]
    AsDeclared,
    /// It is there in another way, as these words say.
    Differs(String),
    /// It is there and is not declared.
    Extra(&'static str),
    /// It is declared and not there, as this word says.
    Missing(&'static str),
}

/// How something is drawn. Whatever is not plain is also said by a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    /// Nothing to say.
    #[default]
    Plain,
    /// Less important.
    Muted,
    /// Dashed, in the colour of what is not there.
    Missing,
    /// In the colour of what nobody declared.
    Extra,
    /// In the colour of what is there in another way.
    Differs,
}

impl Mark {
    /// Not there.
    pub(crate) const MISSING: Self = Self::Missing("missing");

    /// There, and not declared.
    pub(crate) const EXTRA: Self = Self::Extra("extra");

    pub(crate) fn tone(&self) -> Tone {
        match self {
            Self::AsDeclared => Tone::Plain,
            Self::Differs(_) => Tone::Differs,
            Self::Extra(_) => Tone::Extra,
            Self::Missing(_) => Tone::Missing,
        }
    }

    /// What is said beside the colour.
    pub(crate) fn word(&self) -> Option<&str> {
        match self {
            Self::AsDeclared => None,
            Self::Differs(words) => Some(words),
            Self::Extra(word) | Self::Missing(word) => Some(word),
        }
    }
}

/// A line of text and its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The line.
    pub text: String,
    /// Its mark.
    pub mark: Mark,
}

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Which.
    pub netns: NetnsRef,
    /// Whether it is there.
    pub mark: Mark,
    /// Its base link, other declared links that stand alone, then links that nobody declared and
    /// that lead nowhere.
    pub links: Vec<Link>,
    /// The protocols it forwards between its links.
    pub forwarding: Vec<&'static str>,
    /// Its routes.
    pub routes: Vec<Marked>,
    /// Entries of other tables of the kernel, each after the word for its kind.
    pub entries: Vec<(&'static str, Marked)>,
    /// What else differs, a line each.
    pub differences: Vec<String>,
}

/// A link that leads nowhere, or an end of one that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub interface: String,
    /// Whether it is there.
    pub mark: Mark,
    /// Its addresses.
    pub addresses: Vec<Marked>,
    /// What kind of link it is, and by which it sends.
    pub details: Option<String>,
    /// In what else it differs, a line each.
    pub differences: Vec<String>,
}

/// An end of a veth pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The place of its namespace.
    pub namespace: usize,
    /// The link there.
    pub link: Link,
}

/// A veth pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veth {
    /// The end where it was declared, and the other.
    pub ends: [End; 2],
    /// In bytes.
    pub mtu: u32,
    /// Whether it is there.
    pub mark: Mark,
}

/// A forwarded port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The place of the namespace it listens in.
    pub listens_in: usize,
    /// Where it listens there.
    pub listen: String,
    /// The place of the namespace it connects in.
    pub connects_in: usize,
    /// What it connects to there.
    pub connect: String,
    /// Whether it runs.
    pub mark: Mark,
    /// What it has carried, if it runs.
    pub traffic: Option<String>,
}
