//! The manual pages: of commands from what the parser knows, of the configuration from its keys,
//! the others as they are written.
//!
//! In mdoc(7), which man-db and mandoc both read. Nothing here is built before it is asked for.

mod commands;
mod config;
mod markdown;
mod mdoc;

use std::path::PathBuf;

use clap::CommandFactory;

use crate::cli::Cli;

/// A manual page.
pub(crate) struct Page {
    /// What it is called: `netnsctl-up`.
    pub(crate) name: String,
    /// The section it is in.
    pub(crate) section: u8,
    /// Its text, in mdoc(7).
    pub(crate) text: String,
}

impl Page {
    /// The name of its file.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }
}

/// The pages in Markdown, in their order: the name of each one's file, and its text.
pub(crate) fn markdown(pages: &[Page]) -> Vec<(PathBuf, String)> {
    let file = |page: &Page| {
        let name = format!("{}.md", page.file_name());
        (name.into(), markdown::markdown(page, pages))
    };
    pages.iter().map(file).collect()
}

/// All pages.
pub(crate) fn pages() -> Vec<Page> {
    let mut cli = Cli::command();
    cli.build();
    let shown = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
    let mut pages = vec![Page {
        name: "netnsctl".to_owned(),
        section: 1,
        text: commands::program(&cli),
    }];
    pages.extend(cli.get_subcommands().filter(shown).map(|command| Page {
        name: format!("netnsctl-{}", command.get_name()),
        section: 1,
        text: commands::command(command),
    }));
    pages.push(Page {
        name: "netnsctl.toml".to_owned(),
        section: 5,
        text: config::page(),
    });
    let written = [
        ("netnsctl", 7, include_str!("man/netnsctl.7")),
        (
            "netnsctl-generator",
            8,
            include_str!("man/netnsctl-generator.8"),
        ),
    ];
    pages.extend(written.map(|(name, section, text)| Page {
        name: name.to_owned(),
        section,
        text: text.to_owned(),
    }));
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is shown and can be typed has a line about it, which begins as a sentence.
    #[test]
    fn every_command_and_argument_has_its_words() {
        fn look(command: &clap::Command, count: &mut usize) {
            let about = command.get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            assert!(about.len() > 8, "{} has no text", command.get_name());
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                let help = help.unwrap_or_default();
                let name = (command.get_name(), argument.get_id());
                assert!(help.len() > 8, "{name:?} has no text: {help:?}");
                *count += 1;
            }
            command.get_subcommands().for_each(|it| look(it, count));
        }
        let mut cli = Cli::command();
        cli.build();
        let mut count = 0;
        look(&cli, &mut count);
        assert!(count > 60, "{count}");
    }

    #[test]
    fn every_page_says_what_it_is() {
        let pages = pages();
        for page in &pages {
            let head = format!(".Dt {} {}\n", page.name.to_uppercase(), page.section);
            assert!(page.text.contains(&head), "{}", page.name);
            let name = format!(".Nm {}\n.Nd ", page.name);
            assert!(page.text.contains(&name), "{}", page.name);
        }
    }

    #[test]
    fn pages_refer_to_pages_that_are_there() {
        let pages = pages();
        let mut count = 0;
        for page in &pages {
            for reference in page
                .text
                .lines()
                .filter_map(|line| line.strip_prefix(".Xr netnsctl"))
            {
                let mut words = reference.split(' ');
                let name = format!("netnsctl{}", words.next().unwrap());
                let section = words.next().unwrap();
                let there = |it: &&Page| it.name == name && it.section.to_string() == section;
                assert!(
                    pages.iter().any(|it| there(&it)),
                    "{}: {reference}",
                    page.name
                );
                count += 1;
            }
        }
        assert!(count > 40, "{count}");
    }
}
