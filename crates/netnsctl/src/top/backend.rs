//! Draws what changed on a terminal, in one write, with the control sequences that every terminal
//! of the last thirty years knows (console_codes(4)).

use std::fmt::Write as _;
use std::io;

use ratatui_core::backend::{self, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};

use crate::terminal::Screen;

/// A screen, and what is to be drawn on it.
pub(super) struct Backend<'a> {
    screen: &'a Screen,
    pending: String,
}

impl<'a> Backend<'a> {
    pub(super) fn new(screen: &'a Screen) -> Self {
        Self {
            screen,
            pending: String::new(),
        }
    }
}

/// What sets the style of a cell, whatever was set before.
fn style(cell: &Cell) -> String {
    let mut codes = "0".to_owned();
    let modifiers = [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
    ];
    for (modifier, code) in modifiers {
        if cell.modifier.contains(modifier) {
            codes.push_str(code);
        }
    }
    codes.push_str(match cell.fg {
        Color::Red => ";31",
        Color::Green => ";32",
        Color::Yellow => ";33",
        _ => "",
    });
    format!("\x1b[{codes}m")
}

impl backend::Backend for Backend<'_> {
    type Error = io::Error;

    fn draw<'c, I: Iterator<Item = (u16, u16, &'c Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut at = None;
        let mut set = String::new();
        for (x, y, cell) in content {
            if at != Some((x, y)) {
                let _ = write!(self.pending, "\x1b[{};{}H", y + 1, x + 1);
            }
            let wanted = style(cell);
            if wanted != set {
                self.pending.push_str(&wanted);
                set = wanted;
            }
            self.pending.push_str(cell.symbol());
            // A terminal may think otherwise of how wide other characters are.
            at = cell.symbol().is_ascii().then_some((x + 1, y));
        }
        if !set.is_empty() {
            self.pending.push_str("\x1b[0m");
        }
        Ok(())
    }

    // The screen hides its cursor itself, and nobody types where it stands.

    fn hide_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        let _ = write!(self.pending, "\x1b[{};{}H", y + 1, x + 1);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.pending.push_str(match region {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        let (width, height) = self.screen.size();
        Ok(Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: self.size()?,
            pixels: Size::default(),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.screen.draw(pending.as_bytes())
    }
}
