//! Links and veth pairs.

pub(crate) mod kinds;

use std::os::fd::AsFd;

use netnsctl_model::desired::HolderKind;
use netnsctl_model::item::link::parent;
use netnsctl_model::item::{Change, End, Link, Value, Values};
use netnsctl_model::name::NetnsRef;
use netnsctl_model::plan::{Step, Verb};
use netnsctl_netlink::{Batch, NewLink, NewVeth, VethEnd};
use rustix::io::Errno;

use super::CarryOut;
use crate::executor::Executor;
use crate::refusal::Tolerance;
use netnsctl_base::error::Error;

impl CarryOut for Link {
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error> {
        let place = &self.end.place;
        match (step.verb, &self.peer) {
            (Verb::Add | Verb::Restore, Some(peer)) => {
                create_pair(executor, number, &self.end, peer)
            }
            (Verb::Add | Verb::Restore, None) => create(executor, number, self),
            (Verb::Change, _) => {
                // A link of ours goes up once it has its addresses, and the other end of a pair has
                // its own: with that both get a carrier.
                for needed in &step.needs {
                    executor.flush_step(*needed);
                }
                let name = place.interface.as_str();
                let mut all_known = true;
                executor.queue(number, &place.netns, |batch| {
                    for change in &step.changes {
                        all_known &= change_link(batch, name, self.kind, change);
                    }
                })?;
                match all_known {
                    true => Ok(()),
                    false => Err(Error::Unplanned(step.describe())),
                }
            }
            (Verb::Remove, _) => {
                executor.forget_index(place);
                let name = place.interface.as_str();
                executor.queue(number, &place.netns, |batch| batch.delete_link(name))?;
                executor.flush(&place.netns);
                Ok(())
            }
        }
    }

    fn tolerance(&self, verb: Verb) -> Tolerance {
        match verb {
            Verb::Remove => Tolerance::AlreadyGone,
            Verb::Add | Verb::Change | Verb::Restore => Tolerance::Nothing,
        }
    }

    fn hint(&self, verb: Verb, errno: Errno) -> Option<String> {
        match (verb, errno, &self.peer) {
            (Verb::Add, Errno::OPNOTSUPP, None) if HolderKind::parse(self.kind).is_some() => {
                Some(format!(
                    "this kernel has no {} links; interface_kind = \"auto\" takes one it has",
                    self.kind
                ))
            }
            (Verb::Add, Errno::OPNOTSUPP, None) => Some(format!(
                "this kernel has no {0} links: \"modprobe {0}\", or a kernel that has them",
                self.kind
            )),
            (Verb::Add, Errno::OPNOTSUPP, Some(_)) => Some(
                "this kernel has no veth links: \"modprobe veth\", or a kernel that has them"
                    .to_owned(),
            ),
            (Verb::Add, Errno::EXIST, _) => {
                Some("a link of that name appeared meanwhile; run \"netnsctl up\" again".to_owned())
            }
            _ => None,
        }
    }
}

/// Adds the request for one change. False if a link cannot be changed like that in place.
fn change_link(batch: &mut Batch, name: &str, kind: &str, change: &Change) -> bool {
    match (change.what, &change.to) {
        ("up", Value::Flag(true)) => batch.set_link_up(name),
        ("up", Value::Flag(false)) => batch.set_link_down(name),
        ("mtu", Value::Number(mtu)) => batch.set_link_mtu(name, *mtu),
        ("mac", Value::Mac(mac)) => batch.set_link_mac(name, mac.0),
        (what, to) => {
            let values = Values::from_iter([(what, to.clone())]);
            let encoded = kinds::wire(kind).map(|wire| (wire.encode)(&values, None));
            let Some(data) = encoded.and_then(|encoded| encoded.data) else {
                return false;
            };
            batch.change_link_data(name, kind, data);
        }
    }
    true
}

/// The name of a link until it is in its namespace, where another of its name is in the one in
/// which it is made.
const UNTIL_RENAMED: &str = "netnsctl.new";

/// Creates a link that stands alone, in its place at once.
fn create(executor: &mut Executor<'_>, number: usize, link: &Link) -> Result<(), Error> {
    let place = &link.end.place;
    let birthplace = link.birthplace.as_ref().unwrap_or(&place.netns);
    let parent = parent(&link.values)
        .map(|it| executor.index(&it))
        .transpose()?;
    let encoded = match kinds::wire(link.kind) {
        Some(wire) => (wire.encode)(&link.values, parent),
        None => kinds::Encoded::default(),
    };
    executor.forget_index(place);
    executor.made.insert(place.clone());
    let here = match birthplace == &place.netns {
        true => None,
        false => Some(executor.context(&place.netns)?.handle()?),
    };
    let name = match here.is_some() && is_taken(executor, birthplace, place.interface.as_str())? {
        true => UNTIL_RENAMED,
        false => place.interface.as_str(),
    };
    if name == UNTIL_RENAMED && is_taken(executor, &place.netns, UNTIL_RENAMED)? {
        // Left by one that was killed before it could rename it.
        executor.queue(number, &place.netns, |batch| {
            batch.delete_link(UNTIL_RENAMED)
        })?;
        executor.flush(&place.netns);
        executor.context(&place.netns)?.forget_index(UNTIL_RENAMED);
    }
    executor.queue(number, birthplace, |batch| {
        batch.create_link(NewLink {
            name,
            kind: link.kind,
            data: encoded.data,
            link: encoded.link,
            netns: here.as_ref().map(AsFd::as_fd),
            mtu: link.end.mtu,
            mac: link.end.mac.map(|mac| mac.0),
        });
    })?;
    if here.is_some() {
        executor.flush(birthplace);
    }
    if name == UNTIL_RENAMED && !executor.has_failed(number) {
        let index = executor.context(&place.netns)?.look_up_index(name)?;
        executor.queue(number, &place.netns, |batch| {
            batch.rename_link(index, place.interface.as_str());
        })?;
        executor.flush(&place.netns);
        executor.forget_index(place);
    }
    Ok(())
}

/// Whether `netns` has a link of that name: up to Linux 6.14 the kernel then makes none for another
/// namespace either (`rtnl_newlink()` in net/core/rtnetlink.c).
fn is_taken(executor: &mut Executor<'_>, netns: &NetnsRef, name: &str) -> Result<bool, Error> {
    executor.flush(netns);
    executor.context(netns)?.has_link(name)
}

/// Creates both ends in their places, by one request.
fn create_pair(
    executor: &mut Executor<'_>,
    number: usize,
    near: &End,
    far: &End,
) -> Result<(), Error> {
    // Sent from a named end if there is one: the host namespace may have thousands of links, and
    // finding the new one's index there would take longer with each.
    let (near, far) = match near.place.netns {
        NetnsRef::Home => (far, near),
        NetnsRef::Named(_) => (near, far),
    };
    for end in [near, far] {
        executor.forget_index(&end.place);
        executor.made.insert(end.place.clone());
    }
    let here = &near.place.netns;
    executor.context(here)?;
    let far_netns = executor.context(&far.place.netns)?.handle()?;
    fn veth_end(end: &End) -> VethEnd<'_> {
        VethEnd {
            name: end.place.interface.as_str(),
            mac: end.mac.map(|mac| mac.0),
        }
    }
    executor.queue(number, here, |batch| {
        batch.create_veth(NewVeth {
            near: veth_end(near),
            far: veth_end(far),
            far_netns: far_netns.as_fd(),
            mtu: near.mtu,
        });
    })?;
    executor.flush(here);
    if executor.has_failed(number) {
        return Ok(());
    }
    // The near end knows the index of the far one.
    let name = near.place.interface.as_str();
    let index = executor.context(here)?.peer_index(name)?;
    let far_context = executor.context(&far.place.netns)?;
    far_context.learn_index(far.place.interface.as_str(), index);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use netnsctl_model::item::LinkPlace;
    use netnsctl_model::name::InterfaceName;

    #[test]
    fn kinds_of_links_that_the_kernel_lacks_are_told_with_a_way_out() {
        let at = |name: &str| {
            let interface = InterfaceName::parse(name).unwrap();
            Link::at(LinkPlace::new(&NetnsRef::Home, &interface))
        };
        let base = Link {
            kind: "dummy",
            ..at("web")
        };
        let said = base.hint(Verb::Add, Errno::OPNOTSUPP);
        assert!(said.is_some_and(|it| it.contains("interface_kind = \"auto\"")));
        assert_eq!(base.hint(Verb::Add, Errno::NOMEM), None);
        let pair = Link {
            peer: Some(at("b").end),
            ..at("a")
        };
        let said = pair.hint(Verb::Add, Errno::OPNOTSUPP);
        assert!(said.is_some_and(|it| it.contains("modprobe veth")));
    }
}
