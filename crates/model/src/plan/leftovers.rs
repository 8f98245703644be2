//! What lies outside /run and outlived its record, as after a power cut.

use std::collections::BTreeSet;

use crate::etc_files::directory;
use crate::item::{Access, Directory, File, Item};
use crate::name::NetnsRef;
use crate::observed::FileState;

use super::access::has_ours;
use super::planner::Planner;
use super::{Step, Verb};

impl Planner<'_> {
    /// Removes files of ours whose namespace is neither declared nor recorded. They have an effect:
    /// users that may enter a namespace of that name, whichever program makes it, and its name servers.
    pub(super) fn remove_leftovers(&mut self) {
        if self.request.names.is_some() {
            return;
        }
        let etc = &self.observed.etc;
        let mut steps: Vec<(NetnsRef, Item)> = Vec::new();
        for ((name, file), state) in &etc.files {
            if matches!(state, FileState::Ours(_)) && !self.is_known(&name.clone().into()) {
                let file = File {
                    file: *file,
                    content: String::new(),
                };
                steps.push((name.clone().into(), file.into()));
            }
        }
        let names: BTreeSet<NetnsRef> = steps.iter().map(|(of, _)| of.clone()).collect();
        for of in names {
            let path = of.name().map(directory);
            let path = path.filter(|path| etc.leftover_directories.contains(path));
            steps.extend(path.map(|path| (of, Directory { path }.into())));
        }
        let access = self.observed.polkit.iter().flat_map(|polkit| &polkit.files);
        for (netns, files) in access {
            if has_ours(files) && !self.is_known(netns) {
                steps.push((netns.clone(), Access::default().into()));
            }
        }
        let steps = steps.into_iter().map(|(of, item)| Step {
            of,
            verb: Verb::Remove,
            item,
            changes: Vec::new(),
            quiet: false,
            needs: Vec::new(),
        });
        self.plan.steps.extend(steps);
    }

    /// Whether `netns` is declared or recorded, so that other steps deal with what is there for it.
    fn is_known(&self, netns: &NetnsRef) -> bool {
        netns.name().is_none_or(|name| {
            self.desired.netns.contains_key(name)
                || self.observed.records.contains_key(name)
                || self.observed.unreadable.contains_key(name)
        })
    }
}
