//! Addresses of links.

use netnsctl_model::item::Address;
use netnsctl_model::plan::{Step, Verb};

use super::CarryOut;
use crate::executor::Executor;
use crate::refusal::Tolerance;
use netnsctl_base::error::Error;

impl CarryOut for Address {
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error> {
        let (index, address) = (executor.index(&self.link)?, self.address);
        // An earlier step may have let IPv6 in, upon which the kernel made the link-local address
        // of a link that is up, and that cannot be used before duplicate-address detection is over.
        let kernel_may_have_made_it =
            address.is_link_local() && !executor.made.contains(&self.link);
        executor.queue(number, &self.link.netns, |batch| {
            let adds = step.verb != Verb::Remove;
            if !adds || kernel_may_have_made_it {
                batch.delete_address(index, address.ip(), address.prefix_len());
            }
            if adds {
                batch.add_address(index, address.ip(), address.prefix_len());
            }
        })
    }

    fn tolerance(&self, verb: Verb) -> Tolerance {
        match verb {
            Verb::Remove => Tolerance::AlreadyGone,
            _ if self.address.is_link_local() => Tolerance::Replaced,
            Verb::Add | Verb::Change | Verb::Restore => Tolerance::AlreadyThere,
        }
    }
}
