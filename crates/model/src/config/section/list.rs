//! The list of the sections of a namespace.

use super::part::{Everywhere, Part, Target};
use super::{Section, dns, entry, forward, link, nscd, route, run, sysctl, veth};
use crate::config::contradictions::Contradictions;
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::name::NetnsRef;

/// Makes what goes through all sections from the list of them: the module and the type of each.
macro_rules! parts {
    ($($module:ident: $part:ty,)*) => {
        /// The sections of a namespace, in the order in which they are described.
        pub(super) static SECTIONS: &[&Section] = &[$(&$module::SECTION,)*];

        /// What the sections of a namespace declare.
        #[derive(Debug, Default)]
        pub(super) struct Parts {
            $($module: $part,)*
            /// Those of the kinds of entries.
            entries: entry::Declared,
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

            /// Adds what another file declares of the host namespace.
            pub(super) fn join(&mut self, more: Self) {
                $(self.$module.join(more.$module);)*
            }

            /// Adds the links that the sections make.
            pub(super) fn add_links<'d>(&'d self, here: &'d NetnsRef, links: &mut Links<'d>) {
                $(self.$module.add_links(here, links);)*
            }

            /// The namespaces that the sections lead to.
            pub(super) fn references(&self) -> Vec<&At<NetnsRef>> {
                let mut all = Vec::new();
                $(all.extend(self.$module.references());)*
                all
            }

            /// Says what the keys of the sections rule out.
            pub(super) fn rule_out<'d>(
                &'d self,
                here: &'d NetnsRef,
                links: &Links<'d>,
                found: &mut Contradictions<'d>,
            ) {
                $(self.$module.rule_out(here, links, found);)*
            }

            /// Says what the keys of the sections need.
            pub(super) fn need<'d>(&'d self, here: &'d NetnsRef, found: &mut Contradictions<'d>) {
                $(self.$module.need(here, found);)*
            }

            /// Checks all namespaces, section by section.
            pub(super) fn check(all: &Everywhere<'_, Self>, links: &Links<'_>, report: &mut Report<'_>) {
                $(
                    let section = all.iter().map(|(here, parts)| (*here, &parts.$module)).collect();
                    <$part as Part>::check(&section, links, report);
                )*
                all.values().for_each(|parts| parts.entries.check(report));
            }

            /// Puts the sections into the desired state; none if a value that this needs was refused.
            pub(super) fn build(self, target: &mut Target<'_>) -> Option<()> {
                $(self.$module.build(target)?;)*
                self.entries.build(target);
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
