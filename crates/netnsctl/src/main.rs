//! Network namespaces from a file.
//!
//! `main` only turns a result into an exit status. What was typed is in [`cli`], what it does in
//! [`commands`], one file each.
#![forbid(unsafe_code)]

mod cli;
mod commands;
mod config_files;
mod output;
mod status;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Some(run) = cli::Run::of_plain(std::env::args_os()) {
        return finish(commands::run(run));
    }
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                output::Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    finish(commands::dispatch(cli))
}

fn finish(result: Result<output::Exit, output::Failure>) -> ExitCode {
    result.unwrap_or_else(output::Failure::report).into()
}
