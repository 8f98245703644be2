//! What needs the links in place: routes, sysctls, and the files of /etc/netns.

use crate::desired::Route;
use crate::etc_files::{directory, nsswitch_conf, resolv_conf};
use crate::name::{NetnsName, NetnsRef, SysctlKey};
use crate::observed::{Applied, EtcFile, FileState, ObservedRoute};

use super::address::reaches;
use super::namespace::forwarding;
use super::planner::{Planner, Standing, place};
use super::{Action, Part, Problem, same_value};

impl Planner<'_> {
    /// Routes, sysctls and files of one namespace.
    pub(super) fn settings(&mut self, name: &NetnsName, target: &Applied) {
        self.routes(name, target);
        let netns = self.netns(name);
        for (key, value) in &netns.sysctl {
            if self.chooses_key(name, key) && !self.is_written(name, key) {
                self.sysctl(name, key, value, false);
            }
        }
        if self.request.makes_namespaces() {
            self.restore_sysctls(name, target, |_, _| true);
            self.files(name);
            let here = NetnsRef::Named(name.clone());
            self.access(&here, self.netns(name).run.as_ref());
        }
        match self.request.part {
            Some(Part::View) if !self.observed.views.contains(name) => {
                self.step(name, Action::MakeView);
            }
            None | Some(Part::View) => self.view(name),
            Some(Part::Namespace | Part::Veth(_)) => {}
        }
    }

    /// The view, if it is out of date for another reason than a file that this plan changes, which
    /// brings it up to date.
    fn view(&mut self, name: &NetnsName) {
        let changes_file = self.plan.steps.iter().any(|step| {
            let of_files = matches!(
                step.action,
                Action::WriteFile { .. } | Action::RemoveFile { .. }
            );
            of_files && step.of.name() == Some(name)
        });
        if let Some(outdated) = self
            .observed
            .outdated_views
            .get(name)
            .filter(|_| !changes_file)
        {
            let outdated = outdated.clone();
            self.step(name, Action::RenewView { outdated });
        }
    }

    /// The forwarding keys, zeros too. In a namespace still to be made nobody asks whether they
    /// are there: they are, wherever their family is.
    pub(super) fn forwarding(&mut self, name: &NetnsName) {
        let netns = self.netns(name);
        let fresh = self.standing(name) == Standing::Fresh;
        for (key, value) in forwarding(netns.ipv4_forwarding, netns.ipv6_forwarding) {
            self.sysctl(name, &key, &value, fresh);
        }
    }

    /// What switches IPv6 on, for links that are there: they take no IPv6 address before.
    pub(super) fn let_ipv6_in(&mut self, name: &NetnsName, target: &Applied) {
        if self.standing(name) == Standing::Fresh {
            return;
        }
        let here = NetnsRef::Named(name.clone());
        for (key, value) in &self.netns(name).sysctl {
            let of_missing_link = key
                .interface()
                .is_some_and(|interface| self.link(&place(&here, &interface)).is_none());
            if lets_ipv6_in(key, value) && !of_missing_link {
                self.sysctl(name, key, value, false);
            }
        }
        self.restore_sysctls(name, target, lets_ipv6_in);
    }

    /// Whether a step writes `key` already, and not to a link that was made anew since.
    fn is_written(&self, name: &NetnsName, key: &SysctlKey) -> bool {
        let here = NetnsRef::Named(name.clone());
        let of_new_link = key
            .interface()
            .is_some_and(|interface| self.created.contains(&place(&here, &interface)));
        let writes = |action: &Action| matches!(action, Action::WriteSysctl { key: written, .. } if written == key);
        is_ipv6_switch(key)
            && !of_new_link
            && self
                .plan
                .steps
                .iter()
                .any(|step| step.of.name() == Some(name) && writes(&step.action))
    }

    fn routes(&mut self, name: &NetnsName, target: &Applied) {
        let here = NetnsRef::Named(name.clone());
        let observed: &[ObservedRoute] = match self.standing(name) {
            Standing::Ours | Standing::Adoptable => self
                .interior(&here)
                .map_or(&[], |interior| &interior.routes),
            Standing::Fresh | Standing::Foreign => &[],
        };
        let wanted = &self.netns(name).routes;
        let chosen: Vec<_> = wanted
            .iter()
            .filter(|route| self.chooses_route(name, route))
            .collect();
        let whole = self.request.part.is_none();
        let recorded = self.record(name).filter(|_| whole);
        let recorded = recorded.map(|record| &record.applied.routes);
        for ObservedRoute { route, .. } in observed.iter().filter(|observed| !observed.kernel_made)
        {
            let is_wanted = wanted.iter().any(|wanted| fits(wanted, route));
            let same_place = chosen.iter().any(|chosen| chosen.to == route.to);
            let was_ours = recorded.is_some_and(|recorded| {
                recorded
                    .difference(&target.routes)
                    .any(|old| fits(old, route))
            });
            if !is_wanted && (same_place || was_ours) {
                self.step(
                    name,
                    Action::RemoveRoute {
                        route: route.clone(),
                    },
                );
            }
        }
        for route in chosen {
            let there = observed.iter().any(|observed| fits(route, &observed.route));
            let again = there && self.may_lose(&here, route);
            if !there || again {
                self.step(
                    name,
                    Action::AddRoute {
                        route: route.clone(),
                        again,
                    },
                );
            }
        }
    }

    /// Whether a link that `route` leaves by is made anew or loses an IPv4 address by this plan.
    fn may_lose(&self, here: &NetnsRef, route: &Route) -> bool {
        let Some(interior) = self.interior(here) else {
            return false;
        };
        interior.links.iter().any(|(interface, link)| {
            let link_place = place(here, interface);
            let leaves_by_it = route.interface.as_ref() == Some(interface)
                || route.via.is_some_and(|via| reaches(link, via));
            let is_disturbed = self.created.contains(&link_place)
                || self.deleted.contains(&link_place)
                || self.loses_ipv4(&link_place);
            leaves_by_it && is_disturbed
        })
    }

    /// Writes a sysctl unless it has that value; never believes what was read of a link that this
    /// plan makes anew.
    fn sysctl(&mut self, name: &NetnsName, key: &SysctlKey, value: &str, surely_there: bool) {
        let here = NetnsRef::Named(name.clone());
        let of_new_link = key
            .interface()
            .is_some_and(|interface| self.created.contains(&place(&here, &interface)));
        let fresh = self.standing(name) == Standing::Fresh;
        let from = match (of_new_link, fresh) {
            (true, _) => None,
            (false, true) => self.observed.pristine_sysctl.get(key).cloned(),
            (false, false) => {
                let observed = self
                    .interior(&here)
                    .and_then(|interior| interior.sysctl.get(key));
                observed.cloned().flatten()
            }
        };
        let known = of_new_link || from.is_some() || surely_there;
        if !known {
            self.plan.problems.push(Problem::NoSuchSysctl {
                netns: name.to_string(),
                key: key.to_string(),
            });
        } else if fresh || !from.as_deref().is_some_and(|from| same_value(from, value)) {
            self.step(
                name,
                Action::WriteSysctl {
                    key: key.clone(),
                    from,
                    to: value.to_owned(),
                },
            );
        }
    }

    /// Gives the keys that are no longer declared the value a new namespace has, as far as that is
    /// `chosen`.
    fn restore_sysctls(
        &mut self,
        name: &NetnsName,
        target: &Applied,
        chosen: fn(&SysctlKey, &str) -> bool,
    ) {
        let here = NetnsRef::Named(name.clone());
        let Some(record) = self.record(name) else {
            return;
        };
        for key in record
            .applied
            .sysctl
            .keys()
            .filter(|key| !target.sysctl.contains_key(key))
        {
            if self.is_written(name, key) {
                continue;
            }
            let interior = self.interior(&here);
            let now = interior.and_then(|interior| interior.sysctl.get(key).cloned().flatten());
            match (now, self.observed.pristine_sysctl.get(key)) {
                (Some(now), Some(pristine))
                    if !same_value(&now, pristine) && chosen(key, pristine) =>
                {
                    let (key, to) = (key.clone(), pristine.clone());
                    self.step(
                        name,
                        Action::WriteSysctl {
                            key,
                            from: Some(now),
                            to,
                        },
                    );
                }
                (Some(now), None) if chosen(key, "") => self.plan.notes.push(format!(
                    "sysctl {key} of netns \"{name}\" is no longer declared and stays {now}"
                )),
                _ => {}
            }
        }
    }

    fn files(&mut self, name: &NetnsName) {
        for file in EtcFile::ALL {
            let wanted = match file {
                EtcFile::Resolv => Some(resolv_conf(name, &self.netns(name).dns)),
                EtcFile::Nsswitch => {
                    let host = self.observed.etc.host_nsswitch.as_deref();
                    host.map(|host| nsswitch_conf(name, host))
                }
            };
            match (wanted, self.observed.etc.files.get(&(name.clone(), file))) {
                (_, Some(FileState::Foreign)) | (None, None) => {}
                (Some(to), Some(FileState::Ours(from))) if to == *from => {}
                (Some(to), state) => {
                    let from = match state {
                        Some(FileState::Ours(content)) => Some(content.clone()),
                        _ => None,
                    };
                    self.make_directories(name);
                    self.step(name, Action::WriteFile { file, from, to });
                }
                (None, Some(FileState::Ours(_))) => self.step(name, Action::RemoveFile { file }),
            }
        }
    }

    fn make_directories(&mut self, name: &NetnsName) {
        for path in [crate::etc_files::ETC_NETNS.to_owned(), directory(name)] {
            let action = Action::MakeDirectory { path: path.clone() };
            let exists = self.observed.etc.directories.contains(&path);
            if !exists && self.directories.insert(path) {
                self.step(name, action);
            }
        }
    }
}

/// Whether `key` switches IPv6 off or on.
fn is_ipv6_switch(key: &SysctlKey) -> bool {
    key.as_str().starts_with("net.ipv6.conf.") && key.as_str().ends_with(".disable_ipv6")
}

fn lets_ipv6_in(key: &SysctlKey, value: &str) -> bool {
    is_ipv6_switch(key) && value.trim() == "0"
}

/// Whether the observed route is the wanted one.
fn fits(wanted: &Route, observed: &Route) -> bool {
    wanted.to == observed.to
        && wanted.via == observed.via
        && (wanted.interface.is_none() || wanted.interface == observed.interface)
}
