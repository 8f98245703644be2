//! The step and the object of a failure: what was tried, and on what.

use std::fmt;
use std::path::Path;

/// What was tried, such as `open`: words for people. They cannot be compared or searched, so that no
/// code decides by them; what a failure means is told by its [`Object`] and its source.
#[derive(Debug, Clone, Copy)]
pub struct Step(pub(super) &'static str);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a step was tried on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A file, a folder or a mount, by its absolute path.
    Path(String),
    /// The network namespace of that name, which is there.
    Netns(String),
    /// A namespace that is to be made.
    NewNamespace {
        /// Its kind.
        kind: NamespaceKind,
        /// The name of the network namespace for which it is made, where there is one.
        of: Option<String>,
    },
    /// A sysctl: its key, the value if one is to be written, and the namespace.
    Sysctl(String),
    /// A thread or process that is to be started, in words for people.
    Task(String),
    /// Anything else, in words for people.
    Other(String),
}

impl Object {
    /// The network namespace called `name`.
    pub fn netns(name: impl fmt::Display) -> Self {
        Self::Netns(name.to_string())
    }

    /// A namespace of that kind that is to be made.
    pub fn new_namespace(kind: NamespaceKind) -> Self {
        Self::NewNamespace { kind, of: None }
    }

    /// A network namespace without a name, in which something is tried and which then ends.
    pub fn scratch() -> Self {
        Self::other("a scratch namespace")
    }

    /// A thread or process that is to be started, in words for people.
    pub fn task(words: impl Into<String>) -> Self {
        Self::Task(words.into())
    }

    /// Something that has no path, in words for people.
    pub fn other(words: impl Into<String>) -> Self {
        Self::Other(words.into())
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(words) | Self::Sysctl(words) | Self::Task(words) | Self::Other(words) => {
                f.write_str(words)
            }
            Self::Netns(name) => write!(f, "netns \"{name}\""),
            Self::NewNamespace { kind, of: None } => write!(f, "a {kind} namespace"),
            Self::NewNamespace {
                kind,
                of: Some(name),
            } => write!(f, "a {kind} namespace for netns \"{name}\""),
        }
    }
}

/// An absolute path; what is none has a variant of its own.
impl From<String> for Object {
    fn from(path: String) -> Self {
        debug_assert!(path.starts_with('/'));
        Self::Path(path)
    }
}

/// An absolute path.
impl From<&str> for Object {
    fn from(path: &str) -> Self {
        path.to_owned().into()
    }
}

/// An absolute path.
impl From<&String> for Object {
    fn from(path: &String) -> Self {
        path.clone().into()
    }
}

/// An absolute path.
impl From<&Path> for Object {
    fn from(path: &Path) -> Self {
        path.display().to_string().into()
    }
}

/// The kinds of namespaces that netnsctl makes (namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceKind {
    /// With mounts of its own.
    Mount,
    /// With links of its own.
    Network,
    /// With users of its own.
    User,
}

impl NamespaceKind {
    /// The sysctl that limits how many a user may have (namespaces(7)).
    pub fn limit(self) -> &'static str {
        match self {
            Self::Mount => "user.max_mnt_namespaces",
            Self::Network => "user.max_net_namespaces",
            Self::User => "user.max_user_namespaces",
        }
    }
}

impl fmt::Display for NamespaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mount => "mount",
            Self::Network => "network",
            Self::User => "user",
        })
    }
}
