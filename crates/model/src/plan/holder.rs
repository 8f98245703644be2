//! The link that holds a namespace's own addresses.

use crate::desired::{Holder, HolderChoice, HolderKind};
use crate::name::{NetnsName, NetnsRef};
use crate::observed::{Applied, Link};

use super::planner::{Planner, place};
use super::{Action, LinkPlace, Problem};

impl Planner<'_> {
    /// The holder link and its addresses; then holders of former names go.
    pub(super) fn holder(&mut self, name: &NetnsName, target: &Applied) {
        let holder = &self.netns(name).holder;
        let here = NetnsRef::Named(name.clone());
        let link = place(&here, &holder.interface);
        if !self.ensure_holder(name, &link, holder) {
            return;
        }
        self.addresses(name, &link, &holder.address, target);
        let former: Vec<_> = self
            .record(name)
            .into_iter()
            .flat_map(|r| &r.applied.holders)
            .collect();
        for interface in former {
            let old = place(&here, interface);
            let is_ours = self
                .link(&old)
                .is_some_and(|link| holder_kind(link).is_some());
            if !target.holders.contains(interface) && is_ours {
                self.delete_link(name, old);
            }
        }
    }

    /// Makes the link, or leaves the one there is if it will do. False if it cannot be had.
    fn ensure_holder(&mut self, name: &NetnsName, link: &LinkPlace, holder: &Holder) -> bool {
        if let Some(observed) = self.link(link) {
            if fits(holder.kind, observed) {
                self.set_up(name, link.clone());
                return true;
            }
            let recorded = self
                .record(name)
                .is_some_and(|r| r.applied.holders.contains(&holder.interface));
            if !recorded || holder_kind(observed).is_none() {
                self.plan.problems.push(Problem::LinkInTheWay {
                    wanted: "holder link",
                    netns: name.to_string(),
                    interface: holder.interface.to_string(),
                    kind: observed
                        .kind
                        .clone()
                        .unwrap_or_else(|| "hardware".to_owned()),
                    going_away: false,
                });
                return false;
            }
            self.delete_link(name, link.clone());
        }
        let kinds = &self.observed.holder_kinds;
        let kind = match holder.kind {
            HolderChoice::Exactly(kind) => Some(kind),
            HolderChoice::Auto => HolderKind::PREFERENCE
                .into_iter()
                .find(|kind| kinds.contains(kind)),
        };
        let Some(kind) = kind else {
            self.plan.problems.push(Problem::NoHolderKind {
                netns: name.to_string(),
                interface: holder.interface.to_string(),
            });
            return false;
        };
        self.created.insert(link.clone());
        self.step(
            name,
            Action::CreateHolder {
                interface: holder.interface.clone(),
                kind,
            },
        );
        true
    }
}

/// The kind of `link`, if a holder can be of that kind.
fn holder_kind(link: &Link) -> Option<HolderKind> {
    link.kind.as_deref().and_then(HolderKind::parse)
}

/// Whether `link` may stay: `auto` is content with any kind, so that a module loaded later does
/// not replace a link in use.
fn fits(choice: HolderChoice, link: &Link) -> bool {
    match (choice, holder_kind(link)) {
        (_, None) => false,
        (HolderChoice::Auto, Some(_)) => true,
        (HolderChoice::Exactly(wanted), Some(kind)) => wanted == kind,
    }
}
