//! Carries out a plan, step by step and nothing else.
//!
//! Everything runs on one wandering thread. Requests to a namespace are collected and sent
//! together; they are flushed before anything that builds on them: a step in another namespace, a
//! sysctl, a record. Where a step fails, those that need it are not tried; the others go on, and
//! the next `up` finds the rest of the way. How a kind of item is carried out is in its own file
//! below `item`; nothing here names one.

use netnsctl_base::error::Error;
use netnsctl_base::netns::{Netns, wander};
use netnsctl_base::rights;
use netnsctl_model::plan::{Plan, Step};
use rustix::io::Errno;

use crate::executor::Executor;
pub use crate::executor::Outcome;
use crate::item::CarryOut;
use crate::refusal::Refusal;
use crate::state_dir::{self, StateDir};

/// Carries out `plan` with `home` as the home namespace. The lock is held by `state`.
///
/// Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. Steps that fail are among [`Outcome::failures`].
///
/// Errors: the host namespace cannot be noted or no thread can be started; nothing was changed then.
pub fn apply(plan: &Plan, home: &Netns, state: &StateDir) -> Result<Outcome, Error> {
    // With the first record, and with those of a version that did not note it.
    if !(plan.steps.is_empty() && state_dir::records()?.is_empty()) {
        state.note_host(home)?;
    }
    wander(|wanderer| {
        let executor = Executor::new(plan, home, state, wanderer, judge);
        executor.run(|executor, number, step| step.item.carry_out(executor, number, step))
    })
}

/// What it means that the kernel refused a request of `step`.
fn judge(step: &Step, errno: i32) -> Refusal {
    let errno = Errno::from_raw_os_error(errno);
    if step.item.tolerance(step.verb).covers(errno) {
        return Refusal::Reached;
    }
    let hint = step.item.hint(step.verb, errno);
    Refusal::Failure(hint.or_else(|| (errno == Errno::PERM).then(rights::hint)))
}
