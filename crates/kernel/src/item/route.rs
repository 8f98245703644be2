//! Routes.

use netnsctl_model::desired::Route;
use netnsctl_model::plan::{LinkPlace, Step, Verb};
use netnsctl_netlink as netlink;
use rustix::io::Errno;

use super::{CarryOut, named};
use crate::executor::Executor;
use crate::refusal::Tolerance;
use netnsctl_base::error::Error;

impl CarryOut for Route {
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error> {
        let here = named(step)?;
        let interface = match &self.interface {
            Some(interface) => Some(executor.index(&LinkPlace {
                netns: here.clone(),
                interface: interface.clone(),
            })?),
            None => None,
        };
        let route = netlink::Route {
            destination: self.to.network(),
            prefix_len: self.to.prefix_len(),
            gateway: self.via,
            interface,
            kernel_made: false,
        };
        executor.queue(number, here, |batch| match step.verb {
            Verb::Add | Verb::Restore | Verb::Change => batch.add_route(&route),
            Verb::Remove => batch.delete_route(&route),
        })
    }

    fn tolerance(&self, verb: Verb) -> Tolerance {
        match verb {
            Verb::Restore => Tolerance::AlreadyThere,
            Verb::Add | Verb::Change => Tolerance::Nothing,
            Verb::Remove => Tolerance::AlreadyGone,
        }
    }

    fn hint(&self, verb: Verb, errno: Errno) -> Option<String> {
        let unreachable = [Errno::NETUNREACH, Errno::HOSTUNREACH].contains(&errno);
        (verb != Verb::Remove && unreachable)
            .then(|| "the gateway is in no subnet of this namespace's addresses".to_owned())
    }
}
