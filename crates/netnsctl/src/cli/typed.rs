//! Tests that every command line of README, book and recipes can be typed.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::{Cli, Run};

/// Pages in and below a folder.
fn pages(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && depth > 0 {
            pages(&path, depth - 1, found);
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push(path);
        }
    }
}

/// The command lines of a page: what stands behind a prompt, and examples of the manual.
fn lines(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut language, mut heading) = (None, "");
    let joined = text.replace("\\\n", " ");
    for line in joined.lines() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            language = if language.is_none() {
                Some(info.trim())
            } else {
                None
            };
            continue;
        }
        if let (None, Some(text)) = (language, line.strip_prefix("## ")) {
            heading = text;
        }
        let line = line.trim_start();
        match language {
            Some("console") => {
                let typed = ["$ ", "# "].iter().find_map(|it| line.strip_prefix(it));
                found.extend(typed.map(str::to_owned));
            }
            // An example of the manual, and words about it behind two spaces.
            Some("text") if heading == "Examples" && line.starts_with("netnsctl ") => {
                let is_continued = line.contains("   --");
                let end = if is_continued { None } else { line.find("  ") };
                found.push(line[..end.unwrap_or(line.len())].to_owned());
            }
            _ => {}
        }
    }
    found
}

/// The commands of a line, each in words; what is redirected stays out.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quote, mut is_word) = (String::new(), None, false);
    let mut characters = line.chars().chain([' ']).peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(mark), _) if c == mark => quote = None,
            (None, '\'' | '"') => (quote, is_word) = (Some(c), true),
            (None, '#') if !is_word => break,
            (None, ' ' | '|' | '&' | ';' | '>') => {
                if std::mem::take(&mut is_word) {
                    commands.last_mut().unwrap().push(std::mem::take(&mut word));
                }
                if c == '>' {
                    while characters.next_if(|it| *it != ' ').is_some() {}
                } else if c != ' ' {
                    commands.push(Vec::new());
                }
            }
            _ => {
                word.push(c);
                is_word = true;
            }
        }
    }
    commands
}

/// The arguments of this program, the program first, if the command is one of it.
fn of_this_program(words: &[String]) -> Option<&[String]> {
    let start = match words.first()?.as_str() {
        "sudo" | "doas" => 1,
        "cargo" => words.iter().position(|word| word == "--")?,
        _ => 0,
    };
    let is_cargo = words[0] == "cargo" && words.get(1).is_some_and(|it| it == "run");
    let program = words.get(start)?;
    let name = program.rsplit('/').next().unwrap();
    (is_cargo || name == "netnsctl").then_some(&words[start..])
}

#[test]
fn every_command_of_the_pages_can_be_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    pages(&root, 0, &mut found);
    for folder in ["docs", "examples"] {
        pages(&root.join(folder), 2, &mut found);
    }
    let (mut count, mut faults) = (0, Vec::new());
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in lines(&text) {
            for words in commands(&line) {
                let link = Run::of_link(words.iter().map(Into::into));
                let Some(arguments) = of_this_program(&words) else {
                    count += usize::from(link.is_some());
                    continue;
                };
                count += 1;
                let read = Cli::try_parse_from(
                    ["netnsctl"]
                        .into_iter()
                        .map(str::to_owned)
                        .chain(arguments[1..].iter().cloned()),
                );
                match read {
                    Ok(_) => {}
                    Err(error) if !error.use_stderr() => {}
                    Err(error) => faults.push(format!("{}: {line}\n{error}", path.display())),
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 60, "{count}");
}

#[test]
fn lines_are_taken_apart_as_a_shell_does() {
    let read = |line: &str| {
        let commands = commands(line);
        let ours = commands.iter().filter_map(|it| of_this_program(it));
        ours.map(|it| it.join("·")).collect::<Vec<_>>()
    };
    assert_eq!(
        read("netnsctl run a -- sh -c 'b; c' && ls"),
        ["netnsctl·run·a·--·sh·-c·b; c"]
    );
    assert_eq!(
        read("sudo target/debug/netnsctl man up | man -l -"),
        ["target/debug/netnsctl·man·up"]
    );
    assert_eq!(
        read("cargo run --release -- serve x.toml"),
        ["--·serve·x.toml"]
    );
    assert_eq!(
        read("netnsctl schema >x.json   # a file"),
        ["netnsctl·schema"]
    );
    assert_eq!(read("cargo test --workspace"), [""; 0]);
}
