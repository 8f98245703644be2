//! Links and veth pairs.

use std::os::fd::AsFd;

use netnsctl_model::item::{Change, End, Link, Value};
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
            (Verb::Add | Verb::Restore, None) => {
                executor.forget_index(place);
                executor.made.insert(place.clone());
                let link = NewLink {
                    name: place.interface.as_str(),
                    kind: self.kind,
                };
                executor.queue(number, &place.netns, |batch| batch.create_link(link))
            }
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
                        all_known &= change_link(batch, name, change);
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
            (Verb::Add, Errno::OPNOTSUPP, None) => Some(format!(
                "this kernel has no {} links; interface_kind = \"auto\" takes one it has",
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
fn change_link(batch: &mut Batch, name: &str, change: &Change) -> bool {
    match (change.what, &change.to) {
        ("up", Value::Flag(true)) => batch.set_link_up(name),
        ("mtu", Value::Number(mtu)) => batch.set_link_mtu(name, *mtu),
        ("mac", Value::Mac(mac)) => batch.set_link_mac(name, mac.0),
        _ => return false,
    }
    true
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
