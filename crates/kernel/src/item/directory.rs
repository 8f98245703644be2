//! Folders in /etc.

use std::collections::BTreeSet;

use netnsctl_model::item::Directory;
use netnsctl_model::plan::{Step, Verb};

use super::CarryOut;
use crate::etc;
use crate::executor::Executor;
use netnsctl_base::error::Error;

impl CarryOut for Directory {
    fn carry_out(&self, _: &mut Executor<'_>, _: usize, step: &Step) -> Result<(), Error> {
        match step.verb {
            Verb::Add | Verb::Restore | Verb::Change => etc::make_directory(&self.path),
            Verb::Remove => etc::remove_directories(&BTreeSet::from([self.path.clone()])),
        }
    }
}
