//! Network namespaces.

use netnsctl_model::item::Netns;
use netnsctl_model::observed::Record;
use netnsctl_model::plan::{Step, Verb};

use super::{CarryOut, name};
use crate::executor::Executor;
use netnsctl_base::error::Error;

impl CarryOut for Netns {
    /// A new namespace is noted before it gets its name, so that a kill in between leaves no
    /// namespace that nobody owns up to.
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error> {
        let of = name(step)?;
        let identity = match step.verb {
            Verb::Add | Verb::Restore => {
                executor.set_up_folder()?;
                executor.create_netns(&step.of)?.identity
            }
            Verb::Change => executor.context(&step.of)?.identity,
            Verb::Remove => return executor.delete_undeclared(number),
        };
        let applied = self.applied.clone();
        executor
            .state
            .write_record(of, &Record { identity, applied })
    }
}
