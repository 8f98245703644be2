//! Views.

use netnsctl_model::item::View;
use netnsctl_model::plan::{Step, Verb};

use super::{CarryOut, name};
use crate::executor::Executor;
use netnsctl_base::error::Error;
use netnsctl_view as view;

impl CarryOut for View {
    fn carry_out(&self, executor: &mut Executor<'_>, _: usize, step: &Step) -> Result<(), Error> {
        let of = name(step)?;
        match step.verb {
            Verb::Add | Verb::Restore => view::prepare(of),
            Verb::Change => view::refresh(of),
            Verb::Remove => crate::teardown::remove_view(of, executor.state),
        }
    }
}
