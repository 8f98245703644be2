//! `check`: what is wrong with the configuration.

use std::path::PathBuf;

use netnsctl_model::config::{Diagnostic, Related, Source};
use serde::Serialize;

use crate::cli::Check;
use crate::config_files::{self, Configuration};
use crate::output::{self, Document, Exit, Failure};

pub(super) fn check(mut config: Vec<PathBuf>, arguments: Check) -> Result<Exit, Failure> {
    config.extend(arguments.files);
    let configuration = config_files::load(&config)?;
    if configuration.sources.is_empty() {
        return Err(config_files::none_found());
    }
    if arguments.json {
        output::print_json(&wire(&configuration))?;
    } else {
        configuration.report();
    }
    let Some(desired) = &configuration.loaded.desired else {
        return Ok(Exit::Usage);
    };
    if !arguments.json {
        let (files, netns) = (configuration.sources.len(), desired.netns.len());
        let forwards = desired.all_forwards().count();
        let veths = desired.veths.len();
        output::print(&format!(
            "ok: {files} file{}, {netns} namespace{}, {veths} veth pair{}, {forwards} forward{}\n",
            s(files),
            s(netns),
            s(veths),
            s(forwards)
        ))?;
    }
    Ok(Exit::Done)
}

fn s(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[derive(Serialize)]
struct Wire {
    ok: bool,
    diagnostics: Vec<WireDiagnostic>,
}

impl Document for Wire {
    const VERSION: u32 = 1;
}

#[derive(Serialize)]
struct WireDiagnostic {
    severity: &'static str,
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    message: String,
    hint: Option<String>,
    related: Vec<WireRelated>,
}

#[derive(Serialize)]
struct WireRelated {
    file: String,
    line: usize,
    column: usize,
    label: String,
}

fn wire(configuration: &Configuration) -> Wire {
    let sources = &configuration.sources;
    let path = |file: usize| {
        sources
            .get(file)
            .map_or_else(String::new, |s: &Source| s.path.clone())
    };
    let related = |related: &Related| WireRelated {
        file: path(related.file),
        line: related.start.line,
        column: related.start.column,
        label: related.label.clone(),
    };
    let diagnostic = |diagnostic: &Diagnostic| WireDiagnostic {
        severity: diagnostic.severity.as_str(),
        file: path(diagnostic.file),
        line: diagnostic.start.line,
        column: diagnostic.start.column,
        end_line: diagnostic.end.line,
        end_column: diagnostic.end.column,
        message: diagnostic.message.clone(),
        hint: diagnostic.hint.clone(),
        related: diagnostic.related.iter().map(related).collect(),
    };
    Wire {
        ok: configuration.loaded.desired.is_some(),
        diagnostics: configuration
            .loaded
            .diagnostics
            .iter()
            .map(diagnostic)
            .collect(),
    }
}
