//! Carries out a plan, step by step and nothing else.
//!
//! Everything runs on one wandering thread. Requests to a namespace are collected and sent
//! together; they are flushed before anything that builds on them: a step in another namespace, a
//! sysctl, a record. A step that fails ends the work on its namespace; the others go on, and the
//! next `up` finds the rest of the way.

mod netns;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::time::Duration;

use netns::{Context, FarEnd, OpenNetns};
use netnsctl_base::error::{Error, Failure};
use netnsctl_base::netns::{Netns, Wanderer, wander};
use netnsctl_base::processes::Holder;
use netnsctl_model::desired::VethPair;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::observed::Record;
use netnsctl_model::plan::{Action, LinkPlace, Plan, Step};
use netnsctl_netlink::{Batch, NewLink, NewVeth, Route, VethEnd};
use netnsctl_view as view;
use refusal::{attempt, hint, is_link_local, tolerance};

use crate::state_dir::{self, StateDir};
use crate::{etc, lock, names, polkit, sysctl, teardown};

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Places, in the plan, of the steps that were carried out.
    pub done: BTreeSet<usize>,
    /// Steps that failed, in order.
    pub failures: Vec<Failure>,
    /// What keeps namespaces alive that were taken away.
    pub held: BTreeMap<NetnsName, Vec<Holder>>,
}

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
    wander(|wanderer| Executor::new(plan, home, state, wanderer).run())
}

struct Executor<'a> {
    plan: &'a Plan,
    home: &'a Netns,
    state: &'a StateDir,
    wanderer: &'a mut Wanderer,
    open: OpenNetns,
    failed: BTreeSet<NetnsRef>,
    /// Veth ends made so far.
    made: BTreeSet<LinkPlace>,
    folder_is_set_up: bool,
    /// How long to wait for its lock.
    folder_patience: Duration,
    outcome: Outcome,
}

impl<'a> Executor<'a> {
    fn new(
        plan: &'a Plan,
        home: &'a Netns,
        state: &'a StateDir,
        wanderer: &'a mut Wanderer,
    ) -> Self {
        Self {
            plan,
            home,
            state,
            wanderer,
            open: OpenNetns::default(),
            failed: BTreeSet::new(),
            made: BTreeSet::new(),
            folder_is_set_up: false,
            folder_patience: lock::PATIENCE,
            outcome: Outcome::default(),
        }
    }

    fn run(mut self) -> Outcome {
        let last_use = last_uses(&self.plan.steps);
        for (number, step) in self.plan.steps.iter().enumerate() {
            if !self.failed.contains(&step.of) {
                // What is only queued counts as done until the kernel refuses it.
                self.outcome.done.insert(number);
                if let Err(error) = self.carry_out_step(number, step) {
                    self.outcome.done.remove(&number);
                    // It may only follow from a refusal that was waiting to be heard.
                    if !self.failed.contains(&step.of) {
                        self.fail(&step.of, error.to_string(), error.hint());
                    }
                }
            }
            for netns in last_use.get(&number).into_iter().flatten() {
                self.flush(netns);
                self.open.close(netns);
            }
        }
        self.flush_all();
        self.outcome
    }

    fn carry_out_step(&mut self, number: usize, step: &Step) -> Result<(), Error> {
        match (step.of.name(), &step.action) {
            (Some(of), action) => self.carry_out(number, of, action),
            (None, Action::SetAccess { files, .. }) => polkit::write(&step.of, files),
            (None, Action::RemoveAccess) => polkit::remove(&step.of),
            // Nothing else is ever planned for the host namespace.
            (None, action) => Err(Error::Unplanned(action.describe(step.of.as_str()))),
        }
    }

    fn carry_out(&mut self, number: usize, of: &NetnsName, action: &Action) -> Result<(), Error> {
        let here = NetnsRef::Named(of.clone());
        match action {
            Action::SetAccess { files, .. } => polkit::write(&here, files),
            Action::RemoveAccess => polkit::remove(&here),
            Action::CreateNetns { applied } => self.create_netns(of, applied.clone()),
            Action::Adopt { applied } | Action::WriteRecord { applied } => {
                self.flush_all();
                if self.failed.contains(&here) {
                    self.outcome.done.remove(&number);
                    return Ok(());
                }
                let identity = self.context(&here)?.identity;
                self.state.write_record(
                    of,
                    &Record {
                        identity,
                        applied: applied.clone(),
                    },
                )
            }
            Action::RemoveStaleName => names::remove_stale(of),
            Action::DeleteNetns => self.delete_undeclared(of),
            Action::MakeDirectory { path } => etc::make_directory(path),
            Action::WriteFile { file, to, .. } => {
                etc::write_file(of, *file, to).and_then(|()| view::refresh(of))
            }
            Action::MakeView => view::prepare(of),
            Action::RenewView { .. } => view::refresh(of),
            Action::RemoveDirectory { path } => {
                etc::remove_directories(&BTreeSet::from([path.clone()]))
            }
            Action::RemoveFile { file } => {
                etc::remove_file(of, *file).and_then(|()| view::refresh(of))
            }
            Action::WriteSysctl { key, to, .. } => {
                self.flush(&here);
                self.enter(&here)?;
                sysctl::write(key, to).map_err(|source| Error::System {
                    step: "write sysctl",
                    object: format!("{key} = {to:?} in netns \"{of}\""),
                    source,
                })
            }
            Action::CreateVeth { pair } => self.create_veth(number, pair),
            Action::SetUp { link } => self.queue(number, &link.netns, |batch| {
                batch.set_link_up(link.interface.as_str())
            }),
            Action::SetMtu { link, to, .. } => self.queue(number, &link.netns, |batch| {
                batch.set_link_mtu(link.interface.as_str(), *to);
            }),
            Action::SetMac { link, to, .. } => self.queue(number, &link.netns, |batch| {
                batch.set_link_mac(link.interface.as_str(), to.0);
            }),
            Action::CreateHolder { interface, kind } => {
                self.forget_index(&here, interface.as_str());
                let link = NewLink {
                    name: interface.as_str(),
                    kind: kind.as_str(),
                    up: true,
                };
                self.queue(number, &here, |batch| batch.create_link(link))
            }
            Action::DeleteLink { link } => {
                self.forget_index(&link.netns, link.interface.as_str());
                let name = link.interface.as_str();
                self.queue(number, &link.netns, |batch| batch.delete_link(name))?;
                self.flush(&link.netns);
                Ok(())
            }
            Action::AddAddress { link, address, .. } => {
                let index = self.index(link)?;
                // An earlier step may have let IPv6 in, upon which the kernel made the link-local
                // address, and that cannot be used before duplicate-address detection is over.
                let kernel_may_have_made_it = is_link_local(address) && !self.made.contains(link);
                self.queue(number, &link.netns, |batch| {
                    if kernel_may_have_made_it {
                        batch.delete_address(index, address.ip(), address.prefix_len());
                    }
                    batch.add_address(index, address.ip(), address.prefix_len());
                })
            }
            Action::RemoveAddress { link, address } => {
                let index = self.index(link)?;
                self.queue(number, &link.netns, |batch| {
                    batch.delete_address(index, address.ip(), address.prefix_len());
                })
            }
            Action::AddRoute { route, .. } => {
                // No route leads over a link that is down.
                if !self.context(&here)?.set_up_last.is_empty() {
                    self.flush(&here);
                }
                let route = self.route(&here, route)?;
                self.queue(number, &here, |batch| batch.add_route(&route))
            }
            Action::RemoveRoute { route } => {
                let route = self.route(&here, route)?;
                self.queue(number, &here, |batch| batch.delete_route(&route))
            }
        }
    }

    /// Takes away all namespaces that are to go, at the first of them: the kernel frees many in
    /// little more time than one.
    fn delete_undeclared(&mut self, first: &NetnsName) -> Result<(), Error> {
        let steps = self
            .plan
            .steps
            .iter()
            .filter(|step| step.action == Action::DeleteNetns);
        let names: BTreeSet<_> = steps.filter_map(|step| step.of.name().cloned()).collect();
        if names.first() != Some(first) {
            return Ok(());
        }
        let report = teardown::down(&names, teardown::Options::default(), self.state);
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                for name in names {
                    let of = NetnsRef::Named(name);
                    self.fail(&of, error.to_string(), error.hint());
                }
                return Ok(());
            }
        };
        for name in report.foreign {
            let message = teardown::foreign(&name);
            self.fail(&NetnsRef::Named(name), message, None);
        }
        for Failure { of, message, hint } in report.failures {
            self.fail(&of, message, hint);
        }
        // The steps of those that failed were passed over, or are not done after all.
        let failed = self.plan.steps.iter().enumerate().filter(|(_, step)| {
            step.action == Action::DeleteNetns && self.failed.contains(&step.of)
        });
        for (number, _) in failed {
            self.outcome.done.remove(&number);
        }
        self.outcome.held = report.held;
        Ok(())
    }

    /// Makes the namespace and notes which it is before it gets its name, so that a kill in
    /// between leaves no namespace that nobody owns up to.
    fn create_netns(
        &mut self,
        name: &NetnsName,
        applied: netnsctl_model::observed::Applied,
    ) -> Result<(), Error> {
        if !self.folder_is_set_up {
            // Who could not wait long enough for the first namespace does not wait for each.
            let patience = std::mem::take(&mut self.folder_patience);
            names::set_up_folder(patience)?;
            self.folder_is_set_up = true;
        }
        self.open.leave();
        let netns = self.wanderer.create()?;
        let here = NetnsRef::Named(name.clone());
        let context = Context::of_current(netns, name.as_str())?;
        let identity = context.identity;
        self.state
            .write_record(name, &Record { identity, applied })?;
        names::publish(name)?;
        self.open.insert(here, context);
        Ok(())
    }

    fn create_veth(&mut self, number: usize, pair: &VethPair) -> Result<(), Error> {
        // Sent from a named end if there is one: home may have thousands of links, and finding
        // the new one's index there would take longer with each.
        let swap = pair.near.netns == NetnsRef::Home;
        let (near, far) = if swap {
            (&pair.far, &pair.near)
        } else {
            (&pair.near, &pair.far)
        };
        self.forget_index(&near.netns, near.interface.as_str());
        self.forget_index(&far.netns, far.interface.as_str());
        self.context(&near.netns)?;
        let far_netns = self.context(&far.netns)?.handle()?;
        let end = |end: &netnsctl_model::desired::VethEnd| (end.interface.clone(), end.mac.0);
        let ((near_name, near_mac), (far_name, far_mac)) = (end(near), end(far));
        self.made.extend([near, far].map(|end| LinkPlace {
            netns: end.netns.clone(),
            interface: end.interface.clone(),
        }));
        self.queue(number, &near.netns, |batch| {
            batch.create_veth(NewVeth {
                near: VethEnd {
                    name: near_name.as_str(),
                    mac: Some(near_mac),
                },
                far: VethEnd {
                    name: far_name.as_str(),
                    mac: Some(far_mac),
                },
                far_netns: far_netns.as_fd(),
                mtu: pair.mtu,
            });
        })?;
        self.flush(&near.netns);
        if self.failed.contains(&self.plan.steps[number].of) {
            return Ok(());
        }
        // The near end knows the index of the far one.
        let far_index = self
            .context(&near.netns)?
            .peer_index(near.interface.as_str())?;
        let far_context = self.context(&far.netns)?;
        far_context.learn_index(far.interface.as_str(), far_index);
        far_context.set_up_last.push(FarEnd {
            step: number,
            interface: far_name,
            near: near.netns.clone(),
        });
        Ok(())
    }

    /// Adds a request to what is to be sent to `netns`.
    fn queue(
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
    fn context(&mut self, netns: &NetnsRef) -> Result<&mut Context, Error> {
        self.open.get(netns, self.home, self.wanderer)
    }

    fn enter(&mut self, netns: &NetnsRef) -> Result<(), Error> {
        self.context(netns)?;
        self.open.enter(netns, self.home, self.wanderer)
    }

    /// The index of a link, which may have to be created first.
    fn index(&mut self, link: &LinkPlace) -> Result<u32, Error> {
        let name = link.interface.as_str();
        if let Some(index) = self.context(&link.netns)?.known_index(name) {
            return Ok(index);
        }
        self.flush(&link.netns);
        self.context(&link.netns)?.look_up_index(name)
    }

    fn forget_index(&mut self, netns: &NetnsRef, name: &str) {
        if let Ok(context) = self.context(netns) {
            context.forget_index(name);
        }
    }

    fn route(
        &mut self,
        netns: &NetnsRef,
        route: &netnsctl_model::desired::Route,
    ) -> Result<Route, Error> {
        let interface = match &route.interface {
            Some(interface) => {
                let link = LinkPlace {
                    netns: netns.clone(),
                    interface: interface.clone(),
                };
                Some(self.index(&link)?)
            }
            None => None,
        };
        Ok(Route {
            destination: route.to.network(),
            prefix_len: route.to.prefix_len(),
            gateway: route.via,
            interface,
            kernel_made: false,
        })
    }

    fn flush_all(&mut self) {
        for netns in self.open.names() {
            self.flush(&netns);
        }
    }

    /// Sends what waits for `netns`, then sets the far ends of new veths up there. With that both
    /// ends get a carrier, and the kernel gives a link-local address to an end that has none, which
    /// cannot be used before a second of duplicate-address detection: ours must be there first.
    fn flush(&mut self, netns: &NetnsRef) {
        for end in self.open.take_far_ends(netns) {
            self.send(&end.near);
            if self.failed.contains(&self.plan.steps[end.step].of) {
                continue;
            }
            let name = end.interface.as_str();
            // The namespace is open: something waited for it.
            let _ = self.queue(end.step, netns, |batch| batch.set_link_up(name));
        }
        self.send(netns);
    }

    /// Sends what waits for `netns` and notes which steps the kernel refused.
    fn send(&mut self, netns: &NetnsRef) {
        let Some((results, steps)) = self.open.commit(netns) else {
            return;
        };
        let results = match results {
            Ok(results) => results,
            Err(error) => {
                for number in steps {
                    self.outcome.done.remove(&number);
                    let of = self.plan.steps[number].of.clone();
                    self.fail(
                        &of,
                        format!("{}: {error}", attempt(&self.plan.steps[number])),
                        None,
                    );
                }
                return;
            }
        };
        for (number, result) in steps.into_iter().zip(results) {
            let step = &self.plan.steps[number];
            let Err(error) = result else { continue };
            if !tolerance(&step.action).covers(error.errno) {
                self.outcome.done.remove(&number);
                let hint = hint(&step.action, error.errno);
                self.fail(&step.of, format!("{}: {error}", attempt(step)), hint);
            }
        }
    }

    fn fail(&mut self, of: &NetnsRef, message: String, hint: Option<String>) {
        self.failed.insert(of.clone());
        self.outcome.failures.push(Failure {
            of: of.clone(),
            message,
            hint,
        });
    }
}

/// After which step each namespace is not needed any more, so that a long plan does not keep
/// thousands of descriptors.
fn last_uses(steps: &[Step]) -> BTreeMap<usize, Vec<NetnsRef>> {
    let mut last: BTreeMap<NetnsRef, usize> = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        last.insert(step.of.clone(), number);
        let links = match &step.action {
            Action::CreateVeth { pair } => vec![&pair.near.netns, &pair.far.netns],
            Action::AddAddress { link, .. }
            | Action::DeleteLink { link }
            | Action::RemoveAddress { link, .. }
            | Action::SetMac { link, .. }
            | Action::SetMtu { link, .. }
            | Action::SetUp { link } => vec![&link.netns],
            _ => Vec::new(),
        };
        last.extend(links.into_iter().map(|netns| (netns.clone(), number)));
    }
    let mut after: BTreeMap<usize, Vec<NetnsRef>> = BTreeMap::new();
    for (netns, number) in last
        .into_iter()
        .filter(|(netns, _)| *netns != NetnsRef::Home)
    {
        after.entry(number).or_default().push(netns);
    }
    after
}
