//! What is noted of a namespace.

use netnsctl_model::item::RecordFile;
use netnsctl_model::observed::Record;
use netnsctl_model::plan::Step;

use super::{CarryOut, name};
use crate::executor::Executor;
use netnsctl_base::error::Error;

impl CarryOut for RecordFile {
    /// What could not be removed stays in the record: what was asked of the kernel is heard first.
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error> {
        let of = name(step)?;
        if !executor.settle(number) {
            return Ok(());
        }
        let identity = executor.context(&step.of)?.identity;
        let applied = self.applied.clone();
        executor
            .state
            .write_record(of, &Record { identity, applied })
    }
}
