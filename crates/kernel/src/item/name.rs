//! Names in /run/netns.

use netnsctl_model::item::Name;
use netnsctl_model::plan::{Step, Verb};

use super::{CarryOut, name};
use crate::executor::Executor;
use crate::names;
use netnsctl_base::error::Error;

impl CarryOut for Name {
    fn carry_out(&self, executor: &mut Executor<'_>, _: usize, step: &Step) -> Result<(), Error> {
        let of = name(step)?;
        match step.verb {
            Verb::Add | Verb::Restore | Verb::Change => {
                executor.enter(&step.of)?;
                names::publish(of)
            }
            Verb::Remove => names::remove_stale(of),
        }
    }
}
