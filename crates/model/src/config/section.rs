//! One tree of sections and keys: all that can be written, once.
//!
//! A section has one file below this module, with its words, its keys and what reads them. The
//! loader, the schema, netnsctl.toml(5), `examples/every-key.toml`, the NixOS options and the
//! options of `netnsctl forward` walk the tree that begins at [`FILE`]; none of them lists a
//! section or a key again. A new section is its file and one row of `parts!`, in `list`.

pub mod dns;
mod entry;
pub mod example;
pub(super) mod file;
pub mod form;
pub mod forward;
mod key;
pub mod link;
mod list;
pub mod netns;
pub mod nscd;
mod part;
pub mod route;
pub mod run;
pub mod sysctl;
pub mod typed;
pub mod veth;

pub use self::file::{DEFAULTS, FILE, HOST, NETNS};
pub use self::form::Form;
pub use self::key::{Fallback, Key, Kind, sentence};

/// A table of the configuration.
#[derive(Debug)]
pub struct Section {
    /// The word by which the section above has it.
    pub word: &'static str,
    /// How it is written.
    pub shape: Shape,
    /// What it is, for sentences.
    pub title: &'static str,
    /// Its heading in the manual.
    pub heading: &'static str,
    /// What it is for, in one line, where the section above lists it.
    pub summary: &'static str,
    /// What there is to say of it as a whole.
    pub about: &'static str,
    /// What may be in it: lists of keys, of which other files may write some.
    pub keys: &'static [&'static [Key]],
    /// The key whose word decides which of the keys mean something.
    pub selector: Option<Selector>,
    /// What keys have to do with one another, as far as a schema can say it.
    pub conditions: &'static [Condition],
    /// Sections within it: lists of them, of which other files may write some.
    pub children: &'static [&'static [&'static Section]],
    /// Words that other programs have for it: a hint leads from them to the section.
    pub also: &'static [&'static str],
    /// Whether `[netns.default]` takes it too.
    pub is_in_host: bool,
    /// Whether `[defaults]` takes it too, and how.
    pub defaults: Defaults,
    /// More of it in TOML, for the file that shows all keys.
    pub more: &'static str,
}

/// How a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As the file itself.
    File,
    /// As a table named after a namespace.
    Namespace,
    /// As `[netns.default]`, which takes those sections of a namespace that the host namespace has.
    Host,
    /// As `[defaults]`, which takes those sections of a namespace that a file can have defaults for.
    Defaults,
    /// As a table.
    Table,
    /// As a list of tables.
    List,
    /// As a table whose keys are the kernel's.
    Parameters,
}

/// How the defaults of a file count for a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// There are none.
    None,
    /// Each key is that of the namespaces without the key.
    ByKey,
    /// All of it is that of the namespaces without the section.
    Whole,
}

/// A key of a section whose word decides about other keys.
#[derive(Debug, Clone, Copy)]
pub struct Selector {
    /// Its name.
    pub key: &'static str,
    /// What becomes of keys that are of another word.
    pub others: Others,
}

/// What becomes of keys that mean nothing for the word of a [`Selector`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They draw a warning.
    Warned,
    /// They are refused.
    Refused,
}

/// What keys of a section have to do with one another.
#[derive(Debug)]
pub enum Condition {
    /// One of these keys is given.
    AnyOf(&'static [&'static str]),
    /// If this key is given and matches this pattern, that key is given too.
    Needs(&'static str, &'static str, &'static str),
    /// If this key is given and matches this pattern, those keys match theirs, if they are given.
    Matches(
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
    ),
}

/// What a section has: a key, or another section.
#[derive(Debug, Clone, Copy)]
pub enum Member {
    /// A key.
    Key(&'static Key),
    /// A section.
    Section(&'static Section),
}

impl Member {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key(key) => key.name,
            Self::Section(section) => section.word,
        }
    }
}

impl Section {
    /// A section in which all is left open; to be completed with `..Section::EMPTY`.
    pub const EMPTY: Self = Self {
        word: "",
        shape: Shape::Table,
        title: "",
        heading: "",
        summary: "",
        about: "",
        keys: &[],
        selector: None,
        conditions: &[],
        children: &[],
        also: &[],
        is_in_host: false,
        defaults: Defaults::None,
        more: "",
    };

    /// How its header is written in TOML.
    pub fn header(&self) -> String {
        let word = self.word;
        match self.shape {
            Shape::File => String::new(),
            Shape::Namespace => "[netns.NAME]".to_owned(),
            Shape::Host => "[netns.default]".to_owned(),
            Shape::Defaults => "[defaults]".to_owned(),
            Shape::Table | Shape::Parameters => format!("[netns.NAME.{word}]"),
            Shape::List => format!("[[netns.NAME.{word}]]"),
        }
    }

    /// Its keys, whatever the selector says.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys.iter().flat_map(|keys| keys.iter())
    }

    /// The key of that name that means something for `word`; without a word the first of the name.
    pub fn key(&self, name: &str, word: Option<&str>) -> Option<&'static Key> {
        let mut keys = self.keys().filter(|key| key.name == name);
        let fits = |key: &&Key| word.is_none_or(|word| key.is_of(word));
        keys.clone().find(fits).or_else(|| keys.next())
    }

    /// The section within it that has that word.
    pub fn child(&self, word: &str) -> Option<&'static Section> {
        self.children().find(|child| child.word == word)
    }

    /// The sections within it.
    pub fn children(&self) -> impl Iterator<Item = &'static Section> + Clone + use<> {
        let shape = self.shape;
        let children = match shape {
            Shape::Host | Shape::Defaults => NETNS.children,
            _ => self.children,
        };
        let children = children.iter().copied().flatten().copied();
        let is_one = move |child: &&Section| match shape {
            Shape::Host => child.is_in_host,
            Shape::Defaults => child.defaults != Defaults::None,
            _ => true,
        };
        // The host namespace is one of the namespaces, by its name.
        children.filter(move |child| child.shape != Shape::Host && is_one(child))
    }

    /// All that it has, in the order in which it is listed; keys of one name count once.
    pub fn members(&self) -> Vec<Member> {
        let mut names = std::collections::BTreeSet::new();
        let keys = self.keys().filter(|key| names.insert(key.name));
        let mut members: Vec<_> = keys.map(Member::Key).collect();
        let children = self.children().map(Member::Section);
        match self.shape {
            Shape::File => members.splice(0..0, children).for_each(drop),
            _ => members.extend(children),
        }
        members
    }

    /// The words of its selector; none without one.
    pub fn selections(&self) -> &'static [&'static str] {
        let key = self.selector.and_then(|it| self.key(it.key, None));
        match key.map(|key| key.kind) {
            Some(Kind::String(Form::OneOf(words))) => words,
            _ => &[],
        }
    }

    /// It and every section below, those nearer to it first.
    pub fn all(&'static self) -> Vec<&'static Section> {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(section) = all.get(next).copied() {
            all.extend(section.children.iter().copied().flatten());
            next += 1;
        }
        all
    }
}
