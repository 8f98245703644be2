//! Network namespaces from a file.
//!
//! `start` only turns a result into an exit status. What was typed is in [`cli`], what it does in
//! [`commands`], one file each.
#![forbid(unsafe_code)]
// The unit tests have a `main` of their own.
#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]

mod as_text;
mod cli;
mod commands;
mod config_files;
mod man;
mod output;
mod published;
mod status;
mod terminal;
#[cfg(feature = "top")]
mod top;
mod unit_files;

use clap::Parser;

netnsctl_sys::program!(commands::run_bare, start);

fn start() -> u8 {
    netnsctl_base::lock::report_waits(output::note);
    if let Some(entry) = commands::Entry::of_arguments(std::env::args_os()) {
        return finish(commands::enter_as_caller(entry));
    }
    if let Some(status) = commands::generator(std::env::args_os()) {
        return status;
    }
    let run = cli::Run::of_link(std::env::args_os());
    if let Some(run) = run.or_else(|| cli::Run::of_plain(std::env::args_os())) {
        return finish(commands::run(run));
    }
    if let Some(nscd) = cli::Nscd::of_plain(std::env::args_os()) {
        return finish(commands::nscd(&nscd));
    }
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let exit = if error.use_stderr() {
                output::Exit::Usage
            } else {
                output::Exit::Done
            };
            return exit.status();
        }
    };
    finish(commands::dispatch(cli))
}

fn finish(result: Result<output::Exit, output::Failure>) -> u8 {
    result.unwrap_or_else(output::Failure::report).status()
}
