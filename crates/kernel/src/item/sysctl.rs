//! Kernel parameters.

use netnsctl_model::item::Sysctl;
use netnsctl_model::plan::Step;

use super::{CarryOut, named};
use crate::executor::Executor;
use crate::sysctl;
use netnsctl_base::error::{Context, Error, Object};

impl CarryOut for Sysctl {
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error> {
        let here = named(step)?;
        if !executor.settle(number) {
            return Ok(());
        }
        executor.enter(here)?;
        let object = format!("{} = {:?} in netns \"{here}\"", self.key, self.value);
        sysctl::write(&self.key, &self.value).context("write sysctl", Object::Sysctl(object))
    }
}
