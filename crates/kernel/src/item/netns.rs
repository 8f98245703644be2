//! Network namespaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use netnsctl_base::error::{Error, Failure};
use netnsctl_model::item::{Item, Netns};
use netnsctl_model::observed::Record;
use netnsctl_model::plan::{Step, Verb};

use super::{CarryOut, name};
use crate::executor::Executor;
use crate::teardown;

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
            Verb::Remove => return remove_all(executor, number),
        };
        let applied = self.applied.clone();
        executor
            .state
            .write_record(of, &Record { identity, applied })
    }
}

/// Removes all namespaces that are to go, at the first of them: the kernel frees many in little more
/// time than one. At the others, the places of which are `number`, it is known already what became of
/// them.
fn remove_all(executor: &mut Executor<'_>, number: usize) -> Result<(), Error> {
    let steps = executor.plan.steps.iter().enumerate();
    let removed =
        steps.filter(|(_, step)| step.verb == Verb::Remove && matches!(step.item, Item::Netns(_)));
    let numbers: BTreeMap<_, _> = removed
        .filter_map(|(number, step)| Some((step.of.name()?.clone(), number)))
        .collect();
    if numbers.values().min() != Some(&number) {
        if executor.has_failed(number) {
            executor.outcome.done.remove(&number);
        }
        return Ok(());
    }
    let names = numbers.keys().cloned().collect();
    let report = match teardown::down(&names, teardown::Options::default(), executor.state) {
        Ok(report) => report,
        Err(error) => {
            let error = Arc::new(error);
            for number in numbers.into_values() {
                executor.fail(number, Arc::clone(&error));
            }
            return Ok(());
        }
    };
    for name in report.foreign {
        if let Some(number) = numbers.get(&name) {
            executor.fail(*number, Error::Foreign(name));
        }
    }
    for Failure { of, error } in report.failures {
        if let Some(number) = of.name().and_then(|name| numbers.get(name)) {
            executor.fail(*number, error);
        }
    }
    executor.outcome.held = report.held;
    Ok(())
}
