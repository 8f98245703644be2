//! Files of ours in `/etc/netns/NAME`, and the view in which they show.

use netnsctl_model::item::File;
use netnsctl_model::plan::{Step, Verb};

use super::{CarryOut, name};
use crate::etc;
use crate::executor::Executor;
use netnsctl_base::error::Error;
use netnsctl_view as view;

impl CarryOut for File {
    fn carry_out(&self, _: &mut Executor<'_>, _: usize, step: &Step) -> Result<(), Error> {
        let of = name(step)?;
        match step.verb {
            Verb::Add | Verb::Restore | Verb::Change => {
                etc::write_file(of, self.file, &self.content)?;
            }
            Verb::Remove => etc::remove_file(of, self.file)?,
        }
        view::refresh(of)
    }
}
