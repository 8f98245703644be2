//! What every section of a namespace does.

use std::collections::BTreeMap;

use crate::config::contradictions::Contradictions;
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::desired::{Home, Netns, VethPair};
use crate::name::NetnsRef;

/// What a section declares of one namespace, each value with its place. A value that was refused
/// is missing; its mistake has been reported.
pub(super) trait Part: Default {
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

    /// Says what its keys rule out; `links` are those of all namespaces.
    fn rule_out<'d>(
        &'d self,
        _here: &'d NetnsRef,
        _links: &Links<'d>,
        _found: &mut Contradictions<'d>,
    ) {
    }

    /// Says what its keys need.
    fn need<'d>(&'d self, _here: &'d NetnsRef, _found: &mut Contradictions<'d>) {}

    /// Checks this section of every namespace, in the order of their names.
    fn check(_all: &Everywhere<'_, Self>, _links: &Links<'_>, _report: &mut Report<'_>) {}

    /// Puts it into the desired state; none if a value that this needs was refused.
    fn build(self, target: &mut Target<'_>) -> Option<()>;
}

/// One section of every namespace, the host namespace first. A namespace whose section is not
/// written is in it too.
pub(super) type Everywhere<'d, P> = BTreeMap<&'d NetnsRef, &'d P>;

/// Where the sections of a namespace are put.
pub(super) struct Target<'d> {
    /// Its name.
    pub(super) here: &'d NetnsRef,
    /// The namespace; none if it is the host's.
    pub(super) netns: Option<&'d mut Netns>,
    /// What is declared of the host namespace.
    pub(super) home: &'d mut Home,
    /// The veth pairs of all namespaces.
    pub(super) veths: &'d mut Vec<VethPair>,
}
