//! An order to a running forwarder, to go on with other options.
//!
//! An order is the new command line, without the program and each word with a NUL after it, as in
//! `/proc/PID/cmdline`.

use clap::Parser;
use netnsctl_forward::Options;

use crate::cli::{Cli, Command};
use crate::output::Failure;

/// What a forwarder's options are called: the words of its command line, without the program.
pub(crate) fn label<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(" ")
}

/// Reads an order.
///
/// Errors: for the log.
pub(crate) fn read(bytes: &[u8]) -> Result<Options, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let words: Vec<&str> = text.split_terminator('\0').collect();
    let line = ["netnsctl"].into_iter().chain(words.iter().copied());
    let arguments = match Cli::try_parse_from(line).map(|cli| cli.command) {
        Ok(Command::Forward(arguments)) => arguments,
        Ok(_) | Err(_) => return Err(format!("it is no forward: {:?}", label(words))),
    };
    let options = super::options::options(&arguments, label(words));
    options.map_err(Failure::into_message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_order_is_a_command_line() {
        let order = "forward\0--connect=[::1]:80\0--drain=1s\0--passed=tcp:127.0.0.1:1\0";
        let options = read(order.as_bytes()).unwrap();
        assert_eq!(options.drain, Duration::from_secs(1));
        assert_eq!(options.connect.to_string(), "[::1]:80");
        let words = [
            "forward",
            "--connect=[::1]:80",
            "--drain=1s",
            "--passed=tcp:127.0.0.1:1",
        ];
        assert_eq!(options.label, label(words));
    }

    #[test]
    fn what_is_no_forward_is_no_order() {
        let cases: [&[u8]; 7] = [
            b"",
            b"\xff",
            b"up\0",
            b"forward\0",
            b"forward\0--connect=nowhere\0",
            b"forward\0--connect=127.0.0.1:80\0--drain=soon\0",
            b"forward\0--help\0",
        ];
        for order in cases {
            assert!(read(order).is_err(), "{order:?}");
        }
    }
}
