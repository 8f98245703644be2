//! Keys become what the model is to do.

use super::keys::Key;
use super::model::Action;
use super::table::Tab;

/// What a key means; while a filter is typed, characters are its text.
pub(super) fn action(key: Key, is_typing: bool) -> Option<Action> {
    Some(match key {
        Key::Char(character) if is_typing => Action::Type(character),
        Key::Backspace if is_typing => Action::Rub,
        Key::Control('u') if is_typing => Action::RubAll,
        Key::Enter => Action::Enter,
        Key::Escape => Action::Back,
        Key::Up | Key::Control('p') | Key::Char('k') => Action::Up,
        Key::Down | Key::Control('n') | Key::Char('j') => Action::Down,
        Key::PageUp | Key::Control('b') => Action::PageUp,
        Key::PageDown | Key::Control('f') | Key::Char(' ') => Action::PageDown,
        Key::Home | Key::Char('g') => Action::First,
        Key::End | Key::Char('G') => Action::Last,
        Key::Left | Key::Char('<' | 'S') => Action::SortPrevious,
        Key::Right | Key::Char('>' | 's') => Action::SortNext,
        Key::Char('r') => Action::Reverse,
        Key::Tab => Action::NextTab,
        Key::BackTab => Action::PreviousTab,
        Key::Char('1') => Action::Show(Tab::Netns),
        Key::Char('2') => Action::Show(Tab::Links),
        Key::Char('3') => Action::Show(Tab::Forwards),
        Key::Char('/') => Action::Filter,
        Key::Char('p') => Action::Pause,
        Key::Char('?' | 'h') => Action::Help,
        Key::Char('q' | 'Q') => Action::End,
        Key::Control('l') => Action::Redraw,
        Key::Backspace | Key::Char(_) | Key::Control(_) => return None,
    })
}

/// The keys, for the help on the screen.
pub(super) const HELP: &[(&str, &str)] = &[
    ("Up Down j k", "move"),
    ("PgUp PgDn", "a page up, down"),
    ("Home End g G", "first, last"),
    ("Enter", "look into the row"),
    ("Esc", "back; no filter"),
    ("Tab 1 2 3", "namespaces, links, forwards"),
    ("Left Right", "sort by another column"),
    ("r", "sort the other way round"),
    ("/", "show only rows with a text"),
    ("p", "pause, go on"),
    ("Ctrl-L", "draw anew"),
    ("Ctrl-Z", "to the shell; fg returns"),
    ("q Ctrl-C", "end"),
];
