//! Who may enter a namespace, as polkit is told.

use crate::desired::RunAccess;
use crate::name::NetnsRef;
use crate::observed::AccessFiles;
use crate::polkit::action_id;

use super::{Change, Kind, Value, Verb};

/// The polkit action of a namespace and the rules about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Who may enter without an administrator.
    pub access: RunAccess,
    /// The files that say so.
    pub files: AccessFiles<String>,
}

impl Kind for Access {
    const WORD: &'static str = "access";

    fn describe(&self, verb: Verb, _: &[Change], of: &NetnsRef) -> String {
        let action = action_id(of);
        if verb == Verb::Remove {
            return format!("polkit action {action}");
        }
        let lists = [("user", &self.access.users), ("group", &self.access.groups)];
        let members: Vec<String> = lists
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} {name}")))
            .collect();
        let members = match members.as_slice() {
            [] => "with an administrator's password".to_owned(),
            members => members.join(", "),
        };
        format!("polkit action {action}: {members}")
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("users", Value::List(self.access.users.clone())),
            ("groups", Value::List(self.access.groups.clone())),
        ]
    }
}
