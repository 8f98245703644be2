//! netnsctl(1) and a page for each command, from the definitions that `--help` is made of.

use clap::{Arg, ArgAction, Command};

use super::mdoc::{Mdoc, argument, plain};
use crate::config_files::FOLDERS;

/// netnsctl(1).
pub(super) fn program(cli: &Command) -> String {
    let mut page = Mdoc::new("netnsctl", 1, "network namespaces from a file");
    page.line(".Sh SYNOPSIS").line(".Nm");
    synopsis(&mut page, cli);
    page.line(".Ar command").line(".Op Ar argument ...");
    page.line(".Sh DESCRIPTION").prose(
        "Makes network namespaces as files declare them: a link with addresses, veth pairs, routes \
         and kernel parameters, ports forwarded from one into another, and a name service that \
         belongs to each. Changes are made in place, and nothing is touched that is as declared. \
         What the words mean is in netnsctl(7), what may be declared in netnsctl.toml(5).",
    );
    page.line(".Pp").prose("Options of every command are:");
    options(&mut page, cli);
    page.line(".Sh COMMANDS").line(".Bl -tag -width Ds");
    let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    for command in cli.get_subcommands().filter(shown) {
        page.line(&format!(".It Xr netnsctl-{} 1", command.get_name()));
        page.prose(&format!("{}.", about(command)));
    }
    page.line(".El");
    page.line(".Sh ENVIRONMENT").line(".Bl -tag -width Ds");
    page.line(".It Ev NO_COLOR").prose(
        "If it is set and not empty, nothing is coloured. Otherwise what goes to a terminal is.",
    );
    page.line(".It Ev SHELL");
    page.prose("What `run` starts if no command is given.")
        .line(".El");
    files(&mut page);
    statuses(&mut page);
    examples(&mut page, &parts(cli).examples);
    page.line(".Sh DIAGNOSTICS").prose(
        "Results go to standard output, everything else to standard error. An error names the step, \
         the object, the value and the kernel's own words; a line that begins with \"hint:\" names \
         the next step where one is known. Mistakes in the configuration are told all at once, each \
         with its file, line and column.",
    );
    page.see_also(&[
        ("netnsctl.toml", 5),
        ("netnsctl", 7),
        ("netnsctl-generator", 8),
        ("ip-netns", 8),
        ("network_namespaces", 7),
    ]);
    page.finish()
}

/// The page of a command.
pub(super) fn command(command: &Command) -> String {
    let name = command.get_name();
    let about = about(command);
    let mut first = about.chars();
    let lower = first.next().map(|c| c.to_ascii_lowercase());
    let short: String = lower.into_iter().chain(first).collect();
    let mut page = Mdoc::new(&format!("netnsctl-{name}"), 1, &short);
    page.line(".Sh SYNOPSIS").line(".Nm netnsctl");
    page.line(&format!(".Cm {name}"));
    synopsis(&mut page, command);
    let parts = parts(command);
    page.line(".Sh DESCRIPTION").prose(&format!("{about}."));
    for paragraph in &parts.prose {
        page.line(".Pp").prose(paragraph);
    }
    page.line(".Pp").prose("The arguments are:");
    options(&mut page, command);
    page.line(".Sh EXIT STATUS");
    match name {
        "run" => page.prose("That of the command; see netnsctl(1)."),
        "plan" => {
            page.prose("3 with `--exit-code` if there is something to do; else see netnsctl(1).")
        }
        _ => page.prose("See netnsctl(1)."),
    };
    examples(&mut page, &parts.examples);
    page.see_also(&[("netnsctl", 1), ("netnsctl.toml", 5), ("netnsctl", 7)]);
    page.finish()
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    about.unwrap_or_default().trim_end_matches('.').to_owned()
}

fn statuses(page: &mut Mdoc) {
    page.line(".Sh EXIT STATUS").line(".Bl -tag -width Ds");
    let meanings = [
        ("0", "All is done."),
        ("1", "Something failed, at least in part."),
        (
            "2",
            "The command line or the configuration is wrong; nothing was touched.",
        ),
        ("3", "`plan --exit-code` found something to do."),
    ];
    for (status, meaning) in meanings {
        page.line(&format!(".It {status}")).prose(meaning);
    }
    page.line(".El").line(".Pp").prose(
        "`run` exits with what its command does: its status, or 128 and the number of the signal \
         that ended it. 125 means that netnsctl failed, 126 that the command cannot be executed and \
         127 that there is none.",
    );
}

fn files(page: &mut Mdoc) {
    page.line(".Sh FILES").line(".Bl -tag -width Ds");
    for (n, folder) in FOLDERS.iter().enumerate() {
        page.line(&format!(".It Pa {folder}/*.toml , {folder}/*.json"));
        page.prose(match n {
            0 => "Configuration, in the order of the names of its files.",
            _ => "More of it; a file of a name that is in a folder above is left out.",
        });
    }
    let others = [
        (
            "/run/netns/NAME",
            "The namespaces, as ip-netns(8) has them.",
        ),
        (
            "/run/netns-NAME/",
            "The view of a namespace, and where its name-service daemon listens.",
        ),
        ("/run/netnsctl/NAME.json", "What was made for a namespace."),
        (
            "/etc/netns/NAME/",
            "Files that show below /etc inside the namespace.",
        ),
        (
            "/usr/share/doc/netnsctl/",
            "Examples, who may do what, what is printed for programs.",
        ),
    ];
    for (path, about) in others {
        page.line(&format!(".It Pa {path}")).prose(about);
    }
    page.line(".El");
}

/// What `after_help` is made of.
struct Parts {
    /// Paragraphs.
    prose: Vec<String>,
    /// Lines to be typed, and what stands before them; empty between groups.
    examples: Vec<String>,
}

/// Takes the text below the help apart: blocks that begin with "Example" or are indented are
/// examples, the others paragraphs.
fn parts(command: &Command) -> Parts {
    let text = command.get_after_help().map(ToString::to_string);
    let mut parts = Parts {
        prose: Vec::new(),
        examples: Vec::new(),
    };
    for block in text.unwrap_or_default().split("\n\n") {
        let mut lines: Vec<_> = block.lines().collect();
        let is_example = block.starts_with("Example") || block.starts_with("  ");
        if !is_example {
            parts.prose.push(lines.join(" "));
            continue;
        }
        if block.starts_with("Example") {
            lines.remove(0);
        }
        if !parts.examples.is_empty() {
            parts.examples.push(String::new());
        }
        let outdented = lines
            .iter()
            .map(|line| line.strip_prefix("  ").unwrap_or(line));
        parts.examples.extend(outdented.map(str::to_owned));
    }
    parts.prose.retain(|paragraph| !paragraph.is_empty());
    parts
}

fn examples(page: &mut Mdoc, lines: &[String]) {
    if !lines.is_empty() {
        page.line(".Sh EXAMPLES");
        page.literal(lines.iter().map(String::as_str));
    }
}

/// Arguments of the command itself; those of every command are on the first page.
fn own(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_root = command.get_name() == "netnsctl";
    let shown = move |argument: &&Arg| {
        !argument.is_hide_set() && (is_root || !argument.is_global_set() && !is_usual(argument))
    };
    command.get_arguments().filter(shown)
}

/// `--help` and `--version`.
fn is_usual(argument: &Arg) -> bool {
    matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn synopsis(page: &mut Mdoc, command: &Command) {
    let (positional, options): (Vec<_>, Vec<_>) =
        own(command).partition(|argument| argument.is_positional());
    for argument in options {
        let mut call = flags(argument).swap_remove(0);
        if let Some(value) = value_name(argument) {
            call.push_str(&format!(" Ar {value}"));
        }
        page.line(&match argument.is_required_set() {
            true => format!(".{call}"),
            false => format!(".Op {call}"),
        });
    }
    for argument in positional {
        let many = if is_many(argument) { " ..." } else { "" };
        let name = value_name(argument).unwrap_or_default();
        page.line(&match argument.is_required_set() {
            true => format!(".Ar {name}{many}"),
            false => format!(".Op Ar {name}{many}"),
        });
    }
}

fn is_many(argument: &Arg) -> bool {
    let most = argument.get_num_args().map(|range| range.max_values());
    matches!(argument.get_action(), ArgAction::Append) || most.is_some_and(|most| most > 1)
}

/// How the option is typed, each way a macro; the long one first.
fn flags(argument: &Arg) -> Vec<String> {
    let long = argument
        .get_long()
        .map(|long| format!("Fl \\-{}", plain(long)));
    let short = argument.get_short().map(|short| format!("Fl {short}"));
    long.into_iter().chain(short).collect()
}

fn value_name(argument: &Arg) -> Option<String> {
    let takes = argument.is_positional() || argument.get_action().takes_values();
    let named = argument.get_value_names().and_then(|names| names.first());
    takes.then(|| self::argument(&named.map(ToString::to_string).unwrap_or_default()))
}

/// The list of what can be given and what it means.
fn options(page: &mut Mdoc, command: &Command) {
    let (positional, options): (Vec<_>, Vec<_>) =
        own(command).partition(|argument| argument.is_positional());
    let usual = command.get_arguments().filter(|it| is_usual(it));
    let usual: Vec<_> = if command.get_name() == "netnsctl" {
        Vec::new()
    } else {
        usual.filter(|it| it.get_long() == Some("help")).collect()
    };
    page.line(".Bl -tag -width Ds");
    for argument in positional {
        let name = value_name(argument).unwrap_or_default();
        page.line(&format!(".It Ar {name}"));
        help(page, argument);
    }
    for argument in options.into_iter().chain(usual) {
        let value = value_name(argument).map(|value| format!(" Ar {value}"));
        let value = value.unwrap_or_default();
        let ways: Vec<_> = flags(argument)
            .iter()
            .map(|flag| format!("{flag}{value}"))
            .collect();
        page.line(&format!(".It {}", ways.join(" , ")));
        help(page, argument);
    }
    page.line(".El");
}

fn help(page: &mut Mdoc, argument: &Arg) {
    let text = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    page.prose(&format!("{}.", text.trim_end_matches('.')));
    let takes = argument.get_action().takes_values();
    let hidden = argument.is_hide_possible_values_set();
    let values: Vec<_> = (argument.get_possible_values().iter())
        .filter(|_| takes && !hidden)
        .map(|value| value.get_name().to_owned())
        .collect();
    if !values.is_empty() {
        page.prose(&format!("One of {}.", values.join(", ")));
    }
    let defaults: Vec<_> = argument.get_default_values().iter().collect();
    if let (true, [default]) = (takes, defaults.as_slice()) {
        page.prose(&format!("Default: {}.", default.to_string_lossy()));
    }
}
