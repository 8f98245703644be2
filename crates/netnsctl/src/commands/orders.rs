//! A forwarder that goes on with other options: what its command line says now, told as an order.
//!
//! An order is the new command line, without the program and each word with a NUL behind it, as in
//! `/proc/PID/cmdline`.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Parser;
use netnsctl_forward::Options;
use netnsctl_model::desired::Protocol;
use netnsctl_model::name::NetnsRef;
use netnsctl_units::{control_path, orders_path};

use crate::cli::{Cli, Command};
use crate::output::Failure;
use crate::status::ask;

/// How long a forwarder may take to go by an order. It takes one between two events.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether it does.
const POLL: Duration = Duration::from_millis(5);

/// What a forwarder's options are called: the words of its command line, without the program.
pub(super) fn label<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(" ")
}

/// Reads an order.
///
/// Errors: for the log.
pub(super) fn read(bytes: &[u8]) -> Result<Options, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let words: Vec<&str> = text.split_terminator('\0').collect();
    let line = ["netnsctl"].into_iter().chain(words.iter().copied());
    let arguments = match Cli::try_parse_from(line).map(|cli| cli.command) {
        Ok(Command::Forward(arguments)) => arguments,
        Ok(_) | Err(_) => return Err(format!("it is no forward: {:?}", label(words))),
    };
    let options = super::forward::options(&arguments, label(words));
    options.map_err(Failure::into_message)
}

/// The forwarder of a unit, in a namespace and of a number there.
pub(super) struct OfUnit<'a> {
    pub(super) netns: &'a NetnsRef,
    pub(super) number: usize,
    pub(super) protocol: Protocol,
}

impl OfUnit<'_> {
    /// What the options that it goes by are called; none if it does not answer, or does not know.
    pub(super) fn label(&self) -> Option<String> {
        let control = control_path(self.netns, self.number, self.protocol)?;
        let counters = ask(Path::new(&control))?;
        (!counters.options.is_empty()).then_some(counters.options)
    }

    /// Has it go on as `words` say, a command line without the program. False if it has to be
    /// started anew for that.
    pub(super) fn change(&self, words: &[String]) -> bool {
        let wanted = label(words.iter().map(String::as_str));
        // It would refuse by itself, but without a word to us. A label with a space in a word is not
        // read, and then it is started anew.
        let in_force = |label: &str| {
            let line = label.split(' ').map(|word| format!("{word}\0"));
            read(line.collect::<String>().as_bytes())
        };
        let order: String = words.iter().map(|word| format!("{word}\0")).collect();
        let may = match (
            self.label().as_deref().map(in_force),
            read(order.as_bytes()),
        ) {
            (Some(Ok(now)), Ok(new)) => now.may_become(&new).is_ok(),
            _ => false,
        };
        may && self.send(order.as_bytes()) && self.follows(&wanted)
    }

    fn send(&self, order: &[u8]) -> bool {
        let path = orders_path(self.netns, self.number, self.protocol);
        let sent = path.map(|path| UnixDatagram::unbound()?.send_to(order, path));
        sent.is_some_and(|sent| sent.is_ok())
    }

    fn follows(&self, label: &str) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.label().as_deref() != Some(label) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }
}

#[cfg(test)]
mod tests {
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
