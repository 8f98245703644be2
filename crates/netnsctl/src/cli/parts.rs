//! What can be typed to start one of the long-running parts by hand.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::forward::ForwardArguments;

#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// Where to listen: tcp:ADDRESS:PORT, udp:ADDRESS:PORT or unix:PATH; repeatable. Not needed
    /// with sockets from a service manager
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) listen: Vec<String>,
    /// The namespace to listen in
    #[arg(
        long,
        value_name = "NETNS",
        default_value = "default",
        requires = "listen"
    )]
    pub(crate) listen_netns: String,
    /// What to connect to: ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) connect: String,
    /// Where the sockets from a service manager listen, for messages and for who looks at processes
    #[arg(long, value_name = "ENDPOINT", hide = true)]
    pub(crate) passed: Option<String>,
    /// The namespace to connect in; the one this is started in if not given
    #[arg(long, value_name = "NETNS")]
    pub(crate) connect_netns: Option<String>,
    /// Say a line when a TCP connection begins and one when it ends
    #[arg(long, short)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) options: ForwardArguments,
}

/// How long an answer that does not come from files alone may be given again unless told
/// otherwise: not at all.
const CACHE: &str = "0s";

#[derive(Debug, Args)]
pub(crate) struct Nscd {
    /// Where to listen, with mode 0666. Not needed with a socket from a service manager
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// How long an answer may be given again while the files in /etc do not change; 0s: only if it
    /// comes from them alone
    #[arg(long, value_name = "TIME", default_value = CACHE)]
    pub(crate) cache: String,
    /// End, to be started anew, when a file of this folder does not show in /etc any more
    #[arg(long, value_name = "FOLDER")]
    pub(crate) files: Option<PathBuf>,
    /// Say a line for each request
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

impl Nscd {
    /// Reads `netnsctl nscd [--socket PATH] [--cache TIME] [--files=FOLDER] [--verbose]` without building the parser
    /// of all commands, whose code and memory every daemon would keep for good. Whatever else there
    /// is, help and mistakes among it, is left to that parser.
    pub(crate) fn of_plain(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        if arguments.nth(1)? != "nscd" {
            return None;
        }
        let (mut socket, mut cache, mut files, mut verbose) = (None, None, None, false);
        while let Some(word) = arguments.next() {
            let mut value = |is_known: bool| {
                let value = arguments.next().filter(|_| is_known)?;
                let bytes = value.as_encoded_bytes();
                (!bytes.is_empty() && !bytes.starts_with(b"-")).then_some(value)
            };
            match word.to_str()? {
                "--socket" => socket = Some(PathBuf::from(value(socket.is_none())?)),
                "--cache" => cache = Some(value(cache.is_none())?.into_string().ok()?),
                "--verbose" | "-v" if !verbose => verbose = true,
                // As `serve` and units write them.
                joined => match joined.split_once('=')? {
                    ("--cache", time) if cache.is_none() && !time.is_empty() => {
                        cache = Some(time.to_owned());
                    }
                    ("--files", folder) if files.is_none() && !folder.is_empty() => {
                        files = Some(PathBuf::from(folder));
                    }
                    _ => return None,
                },
            }
        }
        Some(Self {
            socket,
            cache: cache.unwrap_or_else(|| CACHE.to_owned()),
            files,
            verbose,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn plain_daemons_are_read_as_the_whole_parser_reads_them() {
        let plain = [
            "nscd",
            "nscd --socket /run/nscd/socket",
            "nscd --cache=10s",
            "nscd --cache 1h30m -v --socket x",
            "nscd --verbose --cache nonsense",
            "nscd --cache=0s --files=/etc/netns/office",
        ];
        let words = |line: &str| -> Vec<OsString> {
            let words = ["netnsctl"].into_iter().chain(line.split(' '));
            words.map(OsString::from).collect()
        };
        for line in plain {
            let read = Nscd::of_plain(words(line).into_iter()).expect(line);
            let Command::Nscd(whole) = Cli::parse_from(words(line)).command else {
                panic!("{line}")
            };
            assert_eq!(format!("{read:?}"), format!("{whole:?}"));
        }
        let others = [
            "--config x nscd",
            "nscd --help",
            "nscd --config x",
            "nscd --socket",
            "nscd --socket -v",
            "nscd --socket ",
            "nscd --cache=",
            "nscd --files=",
            "nscd --files=a --files=b",
            "nscd -v -v",
            "nscd --cache 1s --cache=2s",
            "nscd --cache=1s --cache 2s",
            "nscd --cache=1s --cache=2s",
            "nscd x",
            "forward",
            "",
        ];
        for line in others {
            assert!(Nscd::of_plain(words(line).into_iter()).is_none(), "{line}");
        }
    }
}
