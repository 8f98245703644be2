//! What every section of a namespace does, and the list of those sections.

use std::collections::BTreeMap;

use super::netns::Own;
use super::{Section, dns, entry, forward, link, nscd, route, run, sysctl, veth};
use crate::config::diagnostic::{At, Place, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::desired::{Desired, Netns};
use crate::name::NetnsRef;

/// What a section declares of one namespace, each value with its place. A value that was refused
/// is missing; its mistake has been reported.
pub(in crate::config) trait Part: Default {
    /// Reads the section of the namespace `here`: one table, or each of a list.
    fn read(given: &[Fields<'_>], here: &NetnsRef, report: &mut Report<'_>) -> Self;

    /// Adds what another file declares of the host namespace.
    fn join(&mut self, _more: Self) {}

    /// Adds the links that it makes, wherever they are.
    fn add_links<'d>(&'d self, _here: &'d NetnsRef, _links: &mut Links<'d>) {}

    /// The namespaces that it leads to.
    fn references(&self) -> Vec<&At<NetnsRef>> {
        Vec::new()
    }

    /// Checks this section of all namespaces against all that is declared.
    fn check(_declared: &Declared, _links: &Links<'_>, _report: &mut Report<'_>) {}

    /// Puts it into the desired state; none if a value that this needs was refused.
    fn build(self, here: &NetnsRef, desired: &mut Desired) -> Option<()>;
}

/// Every namespace, that of the host first.
#[derive(Debug, Default)]
pub(in crate::config) struct Declared {
    pub(in crate::config) netns: BTreeMap<NetnsRef, Namespace>,
}

/// One namespace.
#[derive(Debug)]
pub(in crate::config) struct Namespace {
    /// Its name, where it is declared.
    pub(in crate::config) place: Place,
    /// Index of the file that declares it; none if several do.
    pub(in crate::config) file: Option<usize>,
    /// Its own keys.
    pub(in crate::config) own: Own,
    /// Its sections.
    pub(in crate::config) parts: Parts,
}

impl Namespace {
    /// Adds what another file declares of the host namespace, which nobody makes.
    pub(super) fn join(&mut self, more: Self) {
        self.file = None;
        self.parts.join(more.parts);
    }

    /// Puts it into the desired state; none if a value that this needs was refused.
    pub(in crate::config) fn build(self, here: &NetnsRef, desired: &mut Desired) -> Option<()> {
        if let NetnsRef::Named(name) = here {
            desired.netns.insert(name.clone(), self.own.build()?);
        }
        self.parts.build(here, desired)
    }
}

/// The desired state of the namespace `here`, unless that is the host's.
pub(super) fn named<'d>(desired: &'d mut Desired, here: &NetnsRef) -> Option<&'d mut Netns> {
    desired.netns.get_mut(here.name()?)
}

/// Makes what goes through all sections from the list of them: the module and the type of each.
macro_rules! parts {
    ($($module:ident: $part:ty,)*) => {
        /// The sections of a namespace, in the order in which they are described.
        pub(super) static SECTIONS: &[&Section] = &[$(&$module::SECTION,)*];

        /// What the sections of a namespace declare.
        #[derive(Debug, Default)]
        pub(in crate::config) struct Parts {
            $(pub(in crate::config) $module: $part,)*
            /// Those of the kinds of entries.
            pub(in crate::config) entries: entry::Declared,
        }

        impl Parts {
            /// Reads every section that `fields`, those of the namespace `here`, may have.
            pub(super) fn read(fields: &Fields<'_>, here: &NetnsRef, report: &mut Report<'_>) -> Self {
                Self {
                    $($module: {
                        let given = fields.section(&$module::SECTION, report);
                        if given.is_empty() { Default::default() } else { Part::read(&given, here, report) }
                    },)*
                    entries: entry::Declared::read(fields, report),
                }
            }

            fn join(&mut self, more: Self) {
                $(self.$module.join(more.$module);)*
            }

            /// Adds the links that the sections make.
            pub(in crate::config) fn add_links<'d>(&'d self, here: &'d NetnsRef, links: &mut Links<'d>) {
                $(self.$module.add_links(here, links);)*
            }

            /// The namespaces that the sections lead to.
            pub(in crate::config) fn references(&self) -> Vec<&At<NetnsRef>> {
                let mut all = Vec::new();
                $(all.extend(self.$module.references());)*
                all
            }

            /// Checks all namespaces, section by section.
            pub(in crate::config) fn check(declared: &Declared, links: &Links<'_>, report: &mut Report<'_>) {
                $(<$part as Part>::check(declared, links, report);)*
                entry::Declared::check(declared, report);
            }

            fn build(self, here: &NetnsRef, desired: &mut Desired) -> Option<()> {
                $(self.$module.build(here, desired)?;)*
                self.entries.build(here, desired);
                Some(())
            }
        }
    };
}

parts! {
    dns: dns::Declared,
    nscd: nscd::Declared,
    sysctl: sysctl::Declared,
    forward: Vec<forward::Declared>,
    veth: Vec<veth::Declared>,
    link: Vec<link::Declared>,
    route: Vec<route::Declared>,
    run: run::Declared,
}
