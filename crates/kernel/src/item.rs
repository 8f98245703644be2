//! The kernel's half of each kind of item: how a step about it is carried out.
//!
//! The other half, what an item is and what identifies it, is in [`netnsctl_model::item`]. A kind
//! is one file on each side, and a row in the list of each.

mod access;
mod address;
mod directory;
pub(crate) mod entry;
mod file;
pub(crate) mod link;
mod name;
mod netns;
mod record;
mod route;
mod sysctl;
mod view;

use netnsctl_model::item::Item;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan::{Step, Verb};
use rustix::io::Errno;

use crate::executor::Executor;
use crate::refusal::Tolerance;
use netnsctl_base::error::Error;

/// Carrying out steps about a kind of item.
pub(crate) trait CarryOut {
    /// Carries out `step`, the `number`th of the plan, or queues the requests that do.
    ///
    /// Errors: what keeps it from being done, apart from what the kernel answers to a request.
    fn carry_out(
        &self,
        executor: &mut Executor<'_>,
        number: usize,
        step: &Step,
    ) -> Result<(), Error>;

    /// What the kernel may answer to a request of it without anything being wrong.
    fn tolerance(&self, _: Verb) -> Tolerance {
        Tolerance::Nothing
    }

    /// A next step after the kernel refused a request, where one is known.
    fn hint(&self, _: Verb, _: Errno) -> Option<String> {
        None
    }
}

/// Makes the list of kinds: what [`Item`] hands on to each of them.
macro_rules! items {
    ($($kind:ident,)*) => {
        impl CarryOut for Item {
            fn carry_out(
                &self,
                executor: &mut Executor<'_>,
                number: usize,
                step: &Step,
            ) -> Result<(), Error> {
                match self {
                    $(Self::$kind(item) => item.carry_out(executor, number, step),)*
                }
            }

            fn tolerance(&self, verb: Verb) -> Tolerance {
                match self {
                    $(Self::$kind(item) => item.tolerance(verb),)*
                }
            }

            fn hint(&self, verb: Verb, errno: Errno) -> Option<String> {
                match self {
                    $(Self::$kind(item) => item.hint(verb, errno),)*
                }
            }
        }
    };
}

items! {
    Access, Address, Directory, Entry, File, Link, Name, Netns, RecordFile, Route, Sysctl, View,
}

/// The name of the namespace of a step.
///
/// Errors: it is the host namespace, for which nothing of the kind is ever planned.
fn name(step: &Step) -> Result<&NetnsName, Error> {
    let unplanned = || Error::Unplanned(format!("{} in the host namespace", step.describe()));
    step.of.name().ok_or_else(unplanned)
}

/// The namespace of a step, which has a name.
fn named(step: &Step) -> Result<&NetnsRef, Error> {
    name(step).map(|_| &step.of)
}
