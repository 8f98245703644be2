//! A plan that is being carried out: the namespaces that are open, the requests that wait for each,
//! and what became of every step. It knows no kind of item.

mod netns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use netnsctl_base::error::{Error, Failure};
use netnsctl_base::lock;
use netnsctl_base::netns::{Netns, Wanderer};
use netnsctl_base::processes::Holder;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan::{LinkPlace, Plan, Step};
use netnsctl_netlink::Batch;

use crate::names;
use crate::refusal::Refusal;
use crate::state_dir::StateDir;

pub(crate) use netns::Context;
use netns::OpenNetns;

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Places, in the plan, of the steps that were carried out.
    pub done: BTreeSet<usize>,
    /// Places of the steps that were not tried, as one that they need failed.
    pub skipped: BTreeSet<usize>,
    /// Steps that failed, in order.
    pub failures: Vec<Failure>,
    /// What keeps namespaces alive that were taken away.
    pub held: BTreeMap<NetnsName, Vec<Holder>>,
}

/// A plan that is being carried out.
pub(crate) struct Executor<'a> {
    pub(crate) plan: &'a Plan,
    home: &'a Netns,
    pub(crate) state: &'a StateDir,
    wanderer: &'a mut Wanderer,
    open: OpenNetns,
    /// Places of the steps that failed or were not tried.
    failed: BTreeSet<usize>,
    /// What was said of a namespace already: what keeps one step from being done may keep others.
    said: BTreeSet<(NetnsRef, String)>,
    /// Links made so far.
    pub(crate) made: BTreeSet<LinkPlace>,
    folder_is_set_up: bool,
    /// How long to wait for its lock.
    folder_patience: Duration,
    /// What a refusal by the kernel means for a step.
    judge: fn(&Step, i32) -> Refusal,
    pub(crate) outcome: Outcome,
}

impl<'a> Executor<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        home: &'a Netns,
        state: &'a StateDir,
        wanderer: &'a mut Wanderer,
        judge: fn(&Step, i32) -> Refusal,
    ) -> Self {
        Self {
            plan,
            home,
            state,
            wanderer,
            open: OpenNetns::default(),
            failed: BTreeSet::new(),
            said: BTreeSet::new(),
            made: BTreeSet::new(),
            folder_is_set_up: false,
            folder_patience: lock::PATIENCE,
            judge,
            outcome: Outcome::default(),
        }
    }

    /// Carries out every step that is possible, each by `carry_out`.
    pub(crate) fn run(
        mut self,
        carry_out: impl Fn(&mut Self, usize, &Step) -> Result<(), Error>,
    ) -> Outcome {
        let last_use = last_uses(&self.plan.steps);
        for (number, step) in self.plan.steps.iter().enumerate() {
            if self.is_possible(number) {
                // What is only queued counts as done until the kernel refuses it.
                self.outcome.done.insert(number);
                if let Err(error) = carry_out(&mut self, number, step) {
                    self.fail(number, error);
                }
            } else {
                self.skip(number);
            }
            for netns in last_use.get(&number).into_iter().flatten() {
                self.flush(netns);
                self.open.close(netns);
            }
        }
        self.flush_all();
        self.outcome
    }

    /// Whether nothing that the step needs has failed, as far as is known.
    fn is_possible(&self, number: usize) -> bool {
        let needs = &self.plan.steps[number].needs;
        !needs.iter().any(|needed| self.failed.contains(needed))
    }

    /// Hears what became of the steps that step `number` needs. False if one of them failed; the step
    /// is among those not tried then.
    pub(crate) fn settle(&mut self, number: usize) -> bool {
        self.flush_needs(number);
        let possible = self.is_possible(number);
        if !possible {
            self.skip(number);
        }
        possible
    }

    fn skip(&mut self, number: usize) {
        self.outcome.done.remove(&number);
        self.outcome.skipped.insert(number);
        self.failed.insert(number);
    }

    /// Makes /run/netns ready for the first new name.
    pub(crate) fn set_up_folder(&mut self) -> Result<(), Error> {
        if !self.folder_is_set_up {
            // Who could not wait long enough for the first namespace does not wait for each.
            let patience = std::mem::take(&mut self.folder_patience);
            names::set_up_folder(patience)?;
            self.folder_is_set_up = true;
        }
        Ok(())
    }

    /// Makes a namespace without a name, which this thread is in then.
    pub(crate) fn create_netns(&mut self, of: &NetnsRef) -> Result<&mut Context, Error> {
        self.open.leave();
        let netns = self.wanderer.create()?;
        let context = Context::of_current(netns, of.as_str())?;
        self.open.insert(of.clone(), context);
        self.context(of)
    }

    /// Adds requests of step `number` to what is to be sent to `netns`.
    pub(crate) fn queue(
        &mut self,
        number: usize,
        netns: &NetnsRef,
        add: impl FnOnce(&mut Batch),
    ) -> Result<(), Error> {
        let context = self.context(netns)?;
        let before = context.batch.len();
        add(&mut context.batch);
        let added = context.batch.len() - before;
        context.steps.extend(std::iter::repeat_n(number, added));
        Ok(())
    }

    /// The open namespace; opens it if this is the first step in it.
    pub(crate) fn context(&mut self, netns: &NetnsRef) -> Result<&mut Context, Error> {
        self.open.get(netns, self.home, self.wanderer)
    }

    /// Moves this thread into the namespace.
    pub(crate) fn enter(&mut self, netns: &NetnsRef) -> Result<(), Error> {
        self.context(netns)?;
        self.open.enter(netns, self.home, self.wanderer)
    }

    /// The index of a link, which may have to be created first.
    pub(crate) fn index(&mut self, link: &LinkPlace) -> Result<u32, Error> {
        let name = link.interface.as_str();
        if let Some(index) = self.context(&link.netns)?.known_index(name) {
            return Ok(index);
        }
        self.flush(&link.netns);
        self.context(&link.netns)?.look_up_index(name)
    }

    /// What is known of a link of that name no longer holds.
    pub(crate) fn forget_index(&mut self, link: &LinkPlace) {
        if let Ok(context) = self.context(&link.netns) {
            context.forget_index(link.interface.as_str());
        }
    }

    fn flush_all(&mut self) {
        for netns in self.open.names() {
            self.flush(&netns);
        }
    }

    /// Sends what waits for `netns` and notes which steps the kernel refused.
    pub(crate) fn flush(&mut self, netns: &NetnsRef) {
        let Some((results, steps)) = self.open.commit(netns) else {
            return;
        };
        let results = match results {
            Ok(results) => results,
            Err(error) => {
                let error = Arc::new(error);
                for number in steps {
                    self.refuse(number, Arc::clone(&error), None);
                }
                return;
            }
        };
        for (number, result) in steps.into_iter().zip(results) {
            let Err(error) = result else { continue };
            let step = &self.plan.steps[number];
            if let Refusal::Failure(hint) = (self.judge)(step, error.errno) {
                self.refuse(number, Arc::new(error.into()), hint);
            }
        }
    }

    /// Whether the step failed or was not tried, as far as is known.
    pub(crate) fn has_failed(&self, number: usize) -> bool {
        self.failed.contains(&number)
    }

    /// Notes that a request of the step could not be sent or that the kernel refused it.
    fn refuse(
        &mut self,
        number: usize,
        source: Arc<netnsctl_netlink::Error>,
        hint: Option<String>,
    ) {
        let step = Box::new(self.plan.steps[number].clone());
        self.fail(number, Error::Refused { step, source, hint });
    }

    /// Notes that the step failed; that it was not tried, if one that it needs has failed.
    pub(crate) fn fail(&mut self, number: usize, error: impl Into<Arc<Error>>) {
        let error = error.into();
        // It may only follow from a refusal that was waiting to be heard.
        self.flush_needs(number);
        if self.has_failed(number) {
            return;
        }
        let of = self.plan.steps[number].of.clone();
        if !self.is_possible(number) || !self.said.insert((of.clone(), error.to_string())) {
            self.skip(number);
            return;
        }
        self.outcome.done.remove(&number);
        self.failed.insert(number);
        self.outcome.failures.push(Failure { of, error });
    }

    /// Hears what became of the steps that step `number` needs.
    fn flush_needs(&mut self, number: usize) {
        let plan = self.plan;
        for needed in &plan.steps[number].needs {
            self.flush_step(*needed);
        }
    }

    /// Hears what became of step `number`, as far as it was tried.
    pub(crate) fn flush_step(&mut self, number: usize) {
        let plan = self.plan;
        for netns in plan.steps[number].item.places() {
            self.flush(netns);
        }
        self.flush(&plan.steps[number].of);
    }
}

/// After which step each namespace is not needed any more, so that a long plan does not keep
/// thousands of descriptors.
fn last_uses(steps: &[Step]) -> BTreeMap<usize, Vec<NetnsRef>> {
    let mut last: BTreeMap<&NetnsRef, usize> = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        last.insert(&step.of, number);
        last.extend(step.item.places().into_iter().map(|netns| (netns, number)));
    }
    let mut after: BTreeMap<usize, Vec<NetnsRef>> = BTreeMap::new();
    for (netns, number) in last
        .into_iter()
        .filter(|(netns, _)| **netns != NetnsRef::Home)
    {
        after.entry(number).or_default().push(netns.clone());
    }
    after
}
