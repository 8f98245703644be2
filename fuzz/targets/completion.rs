//! Any words as a command line that is being typed: what is to follow depends on the words before
//! the cursor, and nothing is made up.
#![no_main]
#![allow(dead_code, unused_imports, reason = "files of the program, of which one parser is tried")]

// The files of the program that read such a line, where they are in it.
#[path = "../../crates/netnsctl/src"]
mod program {
    pub(crate) mod cli;
    pub(crate) mod commands {
        pub(crate) mod complete {
            mod line;
            pub(crate) use line::{Line, Wanted};
        }
    }
}

use std::sync::LazyLock;

use clap::{Command, CommandFactory};
use libfuzzer_sys::fuzz_target;
use program::cli::Cli;
use program::commands::complete::{Line, Wanted};

static PROGRAM: LazyLock<Command> = LazyLock::new(|| {
    let mut program = Cli::command();
    program.build();
    program
});

fn check(words: &[String]) {
    let line = Line::read(&PROGRAM, words);
    match &line.wanted {
        Wanted::Foreign(first) => assert!((1..words.len()).contains(first)),
        Wanted::Value(_, before) => {
            assert!(words.last().is_some_and(|current| current.starts_with(before)));
        }
        Wanted::Option | Wanted::Subcommand | Wanted::Nothing => {}
    }
    assert!(line.options.len() + line.positional.len() <= words.len());
    assert!(line.positional.iter().all(|word| words.contains(word)));
    for (id, _) in &line.options {
        let is_known = |command: &Command| command.get_arguments().any(|it| it.get_id() == id);
        assert!(is_known(&PROGRAM) || is_known(line.command));
    }
    for option in line.open_options() {
        assert!(!option.is_positional());
    }
    // The word at the cursor says what may follow, and nothing about what was given.
    if let Some((_, given)) = words.split_last() {
        let again = [given, &[String::new()]].concat();
        let again = Line::read(&PROGRAM, &again);
        assert_eq!(again.command.get_name(), line.command.get_name());
        assert_eq!(again.options, line.options);
        assert_eq!(again.positional, line.positional);
    }
}

fuzz_target!(|text: &str| {
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    check(&words);
});
