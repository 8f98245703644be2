//! The text of the files that let users enter a namespace: a polkit(8) action for each, so that
//! one can be allowed and another not, and rules for the users and groups that are declared.
//!
//! pkexec(1) finds the action by the program's path and its first argument (the annotations
//! `org.freedesktop.policykit.exec.path` and `.argv1`). sudo(8) compares a rule with all arguments
//! as one text, in which a space is no different from the end of an argument, and names may have
//! spaces. So both know a namespace by a `word` without spaces or wildcards.

use crate::desired::RunAccess;
use crate::name::{NetnsRef, is_control};
use crate::observed::AccessFiles;

/// The first argument of the program that pkexec(1) starts for a namespace, before its `word`.
pub const ENTER_OPTION: &str = "--enter=";

/// What the first line of a file of ours has in it.
const MARK: &str = "Written by netnsctl";

/// The bytes that a file name may have: NAME_MAX without what a file is called while it is written.
const FILE_NAME_MAX: usize = 250;

/// Whether `content` is that of a file netnsctl wrote.
pub fn is_ours(content: &str) -> bool {
    content
        .lines()
        .next()
        .is_some_and(|line| line.contains(MARK))
}

/// The first argument with which the privileged half of `run` is started for `netns`.
pub fn enter_argument(netns: &NetnsRef) -> String {
    format!("{ENTER_OPTION}{}", word(netns))
}

/// The identifier of the action that stands for entering `netns`.
pub fn action_id(netns: &NetnsRef) -> String {
    format!("org.netnsctl.run.{}", word(netns))
}

/// The name of `netns` as part of an action's identifier, which may have letters, digits, `-` and
/// `.`: other bytes become `.x` and two digits, and so does `.`. [`from_word`] gives it back.
fn word(netns: &NetnsRef) -> String {
    let mut word = String::new();
    for byte in netns.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            word.push(char::from(byte));
        } else {
            word.push_str(&format!(".x{byte:02x}"));
        }
    }
    word
}

/// The namespace that `argument` stands for; none if it is not exactly an [`enter_argument`].
pub fn from_enter_argument(argument: &str) -> Option<NetnsRef> {
    let netns = from_word(argument.strip_prefix(ENTER_OPTION)?)?;
    // Each namespace has one argument only, so that no rule is met by another spelling.
    (enter_argument(&netns) == argument).then_some(netns)
}

fn from_word(word: &str) -> Option<NetnsRef> {
    let mut parts = word.split(".x");
    let mut name = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        name.push(u8::from_str_radix(digits, 16).ok()?);
        name.extend(rest.as_bytes());
    }
    NetnsRef::parse(std::str::from_utf8(&name).ok()?).ok()
}

/// The name of the file with the action; none if it would be too long.
pub fn action_file(netns: &NetnsRef) -> Option<String> {
    file_name(format!("{}.policy", action_id(netns)))
}

/// The name of the file with the rules. Those of an administrator that are to come first have a
/// lower number.
pub fn rules_file(netns: &NetnsRef) -> Option<String> {
    file_name(format!("50-{}.rules", action_id(netns)))
}

/// The namespace whose action or rules have this file name; none if no file of ours is called so.
pub fn netns_of_file(file: &str) -> Option<NetnsRef> {
    let rules = file
        .strip_prefix("50-")
        .and_then(|file| file.strip_suffix(".rules"));
    let id = rules.or_else(|| file.strip_suffix(".policy"))?;
    let mut rest = id.strip_prefix("org.netnsctl.run.")?;
    let mut name = Vec::new();
    while let Some(byte) = rest.bytes().next() {
        if byte == b'.' {
            name.push(u8::from_str_radix(rest.get(2..4)?, 16).ok()?);
            rest = rest.get(4..)?;
        } else {
            name.push(byte);
            rest = rest.get(1..)?;
        }
    }
    let netns = NetnsRef::parse(std::str::from_utf8(&name).ok()?).ok()?;
    // No other spelling of the same name is a file that we would write.
    (action_id(&netns) == id).then_some(netns)
}

fn file_name(name: String) -> Option<String> {
    (name.len() <= FILE_NAME_MAX).then_some(name)
}

/// Whose files they are, as their first lines say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// `up` and `down` write and remove them.
    Netnsctl,
    /// A package of the system has them; `up` and `down` leave them alone.
    System,
}

impl Keeper {
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Netnsctl => [MARK, "\"netnsctl down\" removes it"],
            Self::System => [
                "Made by \"netnsctl units\"",
                "whoever keeps the units keeps it",
            ],
        }
    }
}

/// What the files shall say where `access` is declared and the program is at `program`.
pub fn files(netns: &NetnsRef, access: &RunAccess, program: &str) -> AccessFiles<String> {
    files_of(Keeper::Netnsctl, netns, access, program)
}

/// As [`files`], for whoever keeps them.
pub fn files_of(
    keeper: Keeper,
    netns: &NetnsRef,
    access: &RunAccess,
    program: &str,
) -> AccessFiles<String> {
    let has_members = !access.users.is_empty() || !access.groups.is_empty();
    AccessFiles {
        action: Some(action(keeper, netns, program)),
        rules: has_members.then(|| rules(keeper, netns, access)),
    }
}

/// A `.policy` file: an administrator's password lets anybody in, rules let in without.
fn action(keeper: Keeper, netns: &NetnsRef, program: &str) -> String {
    let [mark, fate] = keeper.words();
    let name = xml(netns.as_str());
    // Two dashes would end the comment.
    let section = name.replace('-', "&#45;");
    let id = action_id(netns);
    let (program, argument) = (xml(program), enter_argument(netns));
    let defaults: String = ["any", "inactive", "active"]
        .iter()
        .map(|who| format!("      <allow_{who}>auth_admin_keep</allow_{who}>\n"))
        .collect();
    format!(
        "<!-- {mark} for [netns.{section}.run]; {fate}. -->\n\
         <!DOCTYPE policyconfig PUBLIC \"-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN\"\n \
         \"http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd\">\n\
         <policyconfig>\n  \
           <action id=\"{id}\">\n    \
             <description>Run a program in the network namespace {name}</description>\n    \
             <message>Authentication is required to run a program in the network namespace {name}</message>\n    \
             <defaults>\n{defaults}    </defaults>\n    \
             <annotate key=\"org.freedesktop.policykit.exec.path\">{program}</annotate>\n    \
             <annotate key=\"org.freedesktop.policykit.exec.argv1\">{argument}</annotate>\n  \
           </action>\n\
         </policyconfig>\n"
    )
}

/// A `.rules` file, which is JavaScript.
fn rules(keeper: Keeper, netns: &NetnsRef, access: &RunAccess) -> String {
    let [mark, fate] = keeper.words();
    let list = |names: &[String]| {
        let quoted: Vec<_> = names.iter().map(|name| javascript(name)).collect();
        quoted.join(", ")
    };
    format!(
        "// {mark} from the configuration; {fate}.\n\
         polkit.addRule(function (action, subject) {{\n    \
             if (action.id !== {id}) {{\n        return undefined;\n    }}\n    \
             var users = [{users}];\n    \
             var groups = [{groups}];\n    \
             var isMember = function (group) {{ return subject.isInGroup(group); }};\n    \
             if (users.indexOf(subject.user) !== -1 || groups.some(isMember)) {{\n        \
                 return polkit.Result.YES;\n    }}\n    \
             return undefined;\n}});\n",
        id = javascript(&action_id(netns)),
        users = list(&access.users),
        groups = list(&access.groups),
    )
}

/// Text for XML, between tags or in double quotes.
fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Text as a string of JavaScript, by its UTF-16 units wherever it is not plain.
fn javascript(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        let is_plain = !is_control(character) && !matches!(character, '"' | '\\' | '<');
        if is_plain && character.is_ascii() {
            quoted.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                quoted.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn netns(name: &str) -> NetnsRef {
        NetnsRef::parse(name).unwrap()
    }

    #[test]
    fn an_action_has_an_identifier_that_polkit_accepts_and_that_is_no_others() {
        let cases = [
            ("office", "org.netnsctl.run.office"),
            ("my-VPN2", "org.netnsctl.run.my-VPN2"),
            ("a_b", "org.netnsctl.run.a.x5fb"),
            ("a.x5fb", "org.netnsctl.run.a.x2ex5fb"),
            ("ä", "org.netnsctl.run..xc3.xa4"),
            ("default", "org.netnsctl.run.default"),
        ];
        for (name, id) in cases {
            assert_eq!(action_id(&netns(name)), id);
            let files = [action_file(&netns(name)), rules_file(&netns(name))];
            for file in files.into_iter().flatten() {
                assert_eq!(netns_of_file(&file), Some(netns(name)), "{file}");
            }
        }
        let others = [
            "org.netnsctl.run..policy",
            "org.netnsctl.run.a.x5.policy",
            "org.netnsctl.run.a.x61.policy",
            "org.netnsctl.run.a.yff.policy",
            "org.netnsctl.run.a.xé.policy",
            "org.netnsctl.runner.policy",
            "50-org.netnsctl.run.office.policy",
            "org.netnsctl.run.office.rules",
        ];
        for other in others {
            assert_eq!(netns_of_file(other), None, "{other}");
        }
        assert_eq!(action_file(&netns(&"ä".repeat(60))), None);
    }

    #[test]
    fn a_namespace_has_one_argument_and_an_argument_one_namespace() {
        let names = [
            "office",
            "office vpn",
            "a_b",
            "a.x5fb",
            "a.xxb",
            ".x41",
            "a*",
            "[a]",
            "ä",
            "x",
            "default",
        ];
        for name in names {
            let argument = enter_argument(&netns(name));
            assert_eq!(
                from_enter_argument(&argument),
                Some(netns(name)),
                "{argument}"
            );
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.=".contains(&byte);
            assert!(argument.bytes().all(is_plain), "{argument}");
        }
        for odd in [
            "--enter=",
            "--enter=office vpn",
            "--enter=office*",
            "--enter=a_b",
            "--enter=a.b",
            // Other spellings of "office", of a file name that is none, and of nothing whole.
            "--enter=.x6fffice",
            "--enter=office.X20",
            "--enter=a.x2F",
            "--enter=a.x2f",
            "--enter=a.x",
            "--enter=a.x2",
            "--enter=a.x+1",
            "--enter=a.xä",
            "--enter=a.xff",
            "--enter=.x2e.x2e",
            "enter=office",
        ] {
            assert_eq!(from_enter_argument(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_files_say_whose_they_are_and_who_may() {
        let access = RunAccess {
            users: vec!["alice".into()],
            groups: vec!["office".into(), "x\"];//\n\\é".into()],
        };
        let files = files(&netns("a<b--&\"c"), &access, "/usr/bin/netnsctl");
        let (action, rules) = (files.action.unwrap(), files.rules.unwrap());
        assert!(is_ours(&action) && is_ours(&rules));
        let comment = action.lines().next().unwrap();
        assert_eq!(comment.matches("--").count(), 2, "{comment}");
        assert!(action.contains(">--enter=a.x3cb--.x26.x22c<"), "{action}");
        assert!(rules.contains("var users = [\"alice\"];"), "{rules}");
        let groups = r#"var groups = ["office", "x\u0022];//\u000a\u005c\u00e9"];"#;
        assert!(rules.contains(groups), "{rules}");
        assert!(!is_ours("polkit.addRule(mine);\n// Written by netnsctl\n"));
    }

    #[test]
    fn what_the_system_keeps_differs_in_nothing_but_whose_it_is() {
        let access = RunAccess {
            users: vec!["alice".into()],
            groups: Vec::new(),
        };
        let of = |keeper| {
            let files = files_of(keeper, &netns("a-b"), &access, "/usr/bin/netnsctl");
            [files.action.unwrap(), files.rules.unwrap()]
        };
        let pairs = of(Keeper::Netnsctl).into_iter().zip(of(Keeper::System));
        for (ours, systems) in pairs {
            assert!(is_ours(&ours) && !is_ours(&systems));
            let rest = |text: &str| text.split_once('\n').unwrap().1.to_owned();
            assert_eq!(rest(&ours), rest(&systems));
        }
    }

    #[test]
    fn without_members_there_are_no_rules_but_an_action_for_the_administrators_own() {
        let files = files(&netns("office"), &RunAccess::default(), "/usr/bin/netnsctl");
        assert_eq!(files.rules, None);
        let action = files.action.unwrap();
        assert!(
            action.contains("<action id=\"org.netnsctl.run.office\">"),
            "{action}"
        );
        assert!(!action.contains("yes"), "{action}");
    }
}
