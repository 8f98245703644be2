//! `top`: namespaces, links and forwards as they are now, with rates.
//!
//! Data goes one way: [`sample`] gathers on a thread of its own, [`model`] makes rates, order and
//! selection of it and knows no terminal, [`view`] draws that, and [`input`] turns keys into what
//! the model is to do.

mod backend;
mod detail;
mod input;
mod keys;
mod model;
mod rates;
mod sample;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod view;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ratatui_core::terminal::Terminal;

use self::backend::Backend;
use self::keys::Keys;
use self::model::{Model, Next};
use self::sample::Sampler;
use crate::cli::Top;
use crate::commands;
use crate::output::{self, Exit, Failure};
use crate::terminal::{self, Event, Screen};

/// How long the rest of a key's sequence may take to come after its ESC; it comes in one piece but
/// over slow lines.
const SEQUENCE_PATIENCE: Duration = Duration::from_millis(50);

pub(crate) fn top(config: Vec<PathBuf>, arguments: &Top) -> Result<Exit, Failure> {
    commands::enter_sandbox(&arguments.sandbox)?;
    let names = arguments
        .names
        .iter()
        .map(|name| commands::netns_name(name));
    let names: BTreeSet<_> = names.collect::<Result<_, _>>()?;
    if !(io::stdin().is_terminal() && terminal::can_draw()) {
        return Err(Failure::usage("\"top\" needs a terminal to draw on")
            .hint("\"netnsctl status --watch\" can be piped"));
    }
    // What fails at once is said before the terminal is taken.
    let (sampler, first) = Sampler::new(config, names)?;
    let screen = Screen::take()?;
    let samples = sampler.start(arguments.interval)?;
    let mut model = Model::new(arguments.interval);
    model.absorb(first);
    let color = output::color_on_stdout();
    let mut terminal = Terminal::new(Backend::new(&screen)).map_err(gone)?;
    let mut keys = Keys::default();
    loop {
        let mut extent = model::Extent::default();
        let draw = terminal.draw(|frame| extent = view::draw(&model, frame.buffer_mut(), color));
        draw.map_err(gone)?;
        model.fit(extent);
        let until = keys
            .is_in_sequence()
            .then(|| Instant::now() + SEQUENCE_PATIENCE);
        let typed = match screen.wait(until, Some(samples.as_fd()))? {
            Event::End => break,
            Event::Input(bytes) => keys.read(&bytes),
            Event::Time => keys.end_sequence(),
            Event::Spoilt => {
                terminal.clear().map_err(gone)?;
                continue;
            }
            Event::Woken => {
                for sample in samples.take()? {
                    model.absorb(sample);
                }
                continue;
            }
        };
        let mut ends = false;
        for key in typed {
            let action = input::action(key, model.is_typing());
            match action.map(|action| model.apply(action)) {
                Some(Next::End) => ends = true,
                Some(Next::Redraw) => terminal.clear().map_err(gone)?,
                Some(Next::Continue) | None => {}
            }
        }
        if ends {
            break;
        }
    }
    Ok(Exit::Done)
}

fn gone(error: io::Error) -> Failure {
    Failure::failed(format!(
        "cannot draw on the terminal: {}",
        netnsctl_sys::errno::words(&error)
    ))
}
