//! Tests of the command line, and of the two ways past its parser.

use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_well_defined() {
    Cli::command().debug_assert();
}

#[test]
fn a_links_name_chooses_the_namespace() {
    let read = |line: &str| {
        let words = line.split_whitespace().map(OsString::from);
        Run::of_link(words).map(|run| (run.name, run.command))
    };
    let wanted = |name: &str, words: &[&str]| {
        Some((name.to_owned(), words.iter().map(OsString::from).collect()))
    };
    let cases = [
        (
            "netns-run-office ping -c 1",
            wanted("office", &["ping", "-c", "1"]),
        ),
        ("/usr/bin/netns-run-a-b -- -x", wanted("a-b", &["-x"])),
        ("./netns-run-office --help", wanted("office", &["--help"])),
        ("netns-run-default", wanted("default", &[])),
        ("netns-run- x", wanted("", &["x"])),
        ("netnsctl run office true", None),
        ("", None),
    ];
    for (line, wanted) in cases {
        assert_eq!(read(line), wanted, "{line}");
    }
}

#[test]
fn plain_runs_are_read_as_the_whole_parser_reads_them() {
    let lines = [
        "run office -- ping -c 1 ::1",
        "run office ping -c 1",
        "run office sh -- -x",
        "run office -- -odd",
        "run default true",
        "run office -- -- x",
        "run office",
        "run --sandbox office true",
        "run office --sandbox true",
        "run -- office true",
        "--config x run office true",
        "up office",
        "",
    ];
    let mut read_plainly = 0;
    for line in lines {
        let words = || {
            ["netnsctl"]
                .into_iter()
                .chain(line.split_whitespace())
                .map(OsString::from)
        };
        let Some(plain) = Run::of_plain(words()) else {
            continue;
        };
        read_plainly += 1;
        let Command::Run(whole) = Cli::parse_from(words()).command else {
            panic!("{line}")
        };
        assert_eq!(
            (plain.name, plain.command),
            (whole.name, whole.command),
            "{line}"
        );
    }
    assert_eq!(read_plainly, 6);
}
