//! Entries of the kernel's tables, whatever the kind.

pub(crate) mod kinds;

use netnsctl_base::error::Error;
use netnsctl_model::item::Entry;
use netnsctl_model::plan::{Step, Verb};

use super::{CarryOut, named};
use crate::executor::Executor;
use crate::refusal::Tolerance;
use kinds::wire;

impl CarryOut for Entry {
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error> {
        let unplanned = || Error::Unplanned(step.describe());
        let wire = wire(self.kind.word()).ok_or_else(unplanned)?;
        let (flags, message) = match step.verb {
            Verb::Add | Verb::Restore | Verb::Change => (wire.add)(&self.values),
            Verb::Remove => (wire.remove)(&self.values),
        };
        executor.queue(number, named(step)?, |batch| batch.push(flags, message))
    }

    fn tolerance(&self, verb: Verb) -> Tolerance {
        match verb {
            Verb::Remove => Tolerance::AlreadyGone,
            Verb::Add | Verb::Change | Verb::Restore => Tolerance::Nothing,
        }
    }
}
