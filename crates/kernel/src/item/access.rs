//! Who may enter: files of polkit.

use netnsctl_model::item::Access;
use netnsctl_model::plan::{Step, Verb};

use super::CarryOut;
use crate::executor::Executor;
use crate::polkit;
use netnsctl_base::error::Error;

impl CarryOut for Access {
    fn carry_out(&self, _: &mut Executor<'_>, _: usize, step: &Step) -> Result<(), Error> {
        match step.verb {
            Verb::Add | Verb::Restore | Verb::Change => polkit::write(&step.of, &self.files),
            Verb::Remove => polkit::remove(&step.of),
        }
    }
}
