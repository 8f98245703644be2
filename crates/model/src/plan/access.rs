//! Who may enter: the polkit files of a namespace.

use crate::desired::RunAccess;
use crate::item::Access;
use crate::name::NetnsRef;
use crate::observed::{AccessFiles, FileState};
use crate::polkit::{self, action_file};

use super::planner::Planner;
use super::{Step, Verb};

impl Planner<'_> {
    /// Makes polkit know who may enter `netns`, as far as anybody may be told.
    pub(super) fn access(&mut self, netns: &NetnsRef, access: Option<&RunAccess>) {
        let Some(polkit) = &self.observed.polkit else {
            return;
        };
        let found = polkit.files.get(netns);
        let wanted = match (access, &polkit.program) {
            (None, _) => None,
            (Some(_), _) if action_file(netns).is_none() => {
                self.plan.notes.push(format!(
                    "the name \"{netns}\" is too long for a polkit action: only administrators may enter"
                ));
                None
            }
            (Some(_), None) => {
                self.plan.notes.push(format!(
                    "[netns.{netns}.run] has no effect: others than root could replace this \
                     program, and polkit would run it as root; install it where they cannot"
                ));
                None
            }
            (Some(access), Some(program)) => Some((access, polkit::files(netns, access, program))),
        };
        let (verb, item) = match wanted {
            Some((_, files)) if found.is_some_and(|found| says(found, &files)) => return,
            // Where others may enter than declared, this is no note but a step that fails.
            Some(_) if !polkit.can_write && !found.is_some_and(has_ours) => {
                self.plan.notes.push(format!(
                    "[netns.{netns}.run] has no effect: /etc/polkit-1/rules.d cannot be written to"
                ));
                return;
            }
            Some((access, files)) => {
                let verb = match found.is_some_and(has_ours) {
                    true => Verb::Change,
                    false => Verb::Add,
                };
                let access = access.clone();
                (verb, Access { access, files })
            }
            None if found.is_some_and(has_ours) => (Verb::Remove, Access::default()),
            None => return,
        };
        let recorded = self.done.recorded.get(netns).copied();
        let named = self.done.named.get(netns).copied();
        self.plan.steps.push(Step {
            of: netns.clone(),
            verb,
            item: item.into(),
            changes: Vec::new(),
            quiet: false,
            needs: recorded.into_iter().chain(named).collect(),
        });
        if let (Verb::Remove, Some(name)) = (verb, netns.name())
            && let Some((name, _)) = self.desired.netns.get_key_value(name)
        {
            let number = self.plan.steps.len() - 1;
            self.removes(name, number);
        }
    }
}

/// Whether a file of ours is there.
pub(super) fn has_ours(found: &AccessFiles<FileState>) -> bool {
    let is_ours = |state: &Option<FileState>| matches!(state, Some(FileState::Ours(_)));
    is_ours(&found.action) || is_ours(&found.rules)
}

/// Whether the files that are there say what they shall. A file that somebody put in the place of
/// one of ours stays.
fn says(found: &AccessFiles<FileState>, wanted: &AccessFiles<String>) -> bool {
    let pairs = [
        (&found.action, &wanted.action),
        (&found.rules, &wanted.rules),
    ];
    pairs
        .into_iter()
        .all(|(found, wanted)| match (found, wanted) {
            (Some(FileState::Foreign), _) | (None, None) => true,
            (Some(FileState::Ours(content)), Some(wanted)) => content == wanted,
            (Some(FileState::Ours(_)), None) | (None, Some(_)) => false,
        })
}
