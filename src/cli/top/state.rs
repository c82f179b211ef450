use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::listing::{Choice, ListRow, Listing};
use super::{clients, pools, refusals, routes};
use crate::admin::Status;

/// What is shown, and how.
#[derive(Debug)]
pub(super) struct State {
    /// Where the gate is.
    pub(super) gate: String,
    /// What it last said.
    pub(super) status: Option<Status>,
    /// Why it says nothing now, if so.
    pub(super) gone: Option<String>,
    pub(super) pane: Pane,
    views: [PaneView; 4],
    pub(super) mode: Mode,
    pub(super) paused: bool,
}

/// What is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Pools,
    Routes,
    Clients,
    Refusals,
}

/// How a pane is looked at.
#[derive(Clone, Debug, Default)]
struct PaneView {
    choice: Choice,
    /// The name of a row; the first where there is none.
    selected: Option<String>,
}

/// What keys mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Look,
    /// They are the letters of a filter.
    Filter,
    /// Any of them closes the help.
    Help,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Quit,
}

/// How far a page goes.
const PAGE: isize = 10;

impl State {
    /// Nothing is known of the gate yet.
    pub(super) fn new(gate: String) -> Self {
        Self {
            gate,
            status: None,
            gone: None,
            pane: Pane::default(),
            views: Default::default(),
            mode: Mode::default(),
            paused: false,
        }
    }

    /// The gate has said how it is, or nothing.
    pub(super) fn see(&mut self, said: Result<Status, String>) {
        match said {
            Ok(_) if self.paused => self.gone = None,
            Ok(status) => (self.status, self.gone) = (Some(status), None),
            Err(why) => self.gone = Some(why),
        }
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: KeyEvent) -> Then {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Then::Quit } else { Then::Stay };
        }
        match self.mode {
            Mode::Look => return self.look(key.code),
            Mode::Filter => self.write(key.code),
            Mode::Help => self.mode = Mode::Look,
        }
        Then::Stay
    }

    fn look(&mut self, key: KeyCode) -> Then {
        match key {
            KeyCode::Char('q') => return Then::Quit,
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort_by_next(),
            KeyCode::Char('r') => self.view().choice.reversed = !self.choice().reversed,
            KeyCode::Char(digit @ '1'..='4') => self.pane = Pane::ALL[digit as usize - '1' as usize],
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.pane = self.pane.step(1),
            KeyCode::BackTab | KeyCode::Left => self.pane = self.pane.step(3),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::PageUp => self.go(-PAGE),
            KeyCode::PageDown => self.go(PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.view().selected = None,
            KeyCode::End | KeyCode::Char('G') => self.go(isize::MAX),
            KeyCode::Esc => self.view().choice.filter.clear(),
            _ => {}
        }
        Then::Stay
    }

    fn write(&mut self, key: KeyCode) {
        let filter = &mut self.view().choice.filter;
        match key {
            KeyCode::Char(letter) => filter.push(letter),
            KeyCode::Backspace => drop(filter.pop()),
            KeyCode::Esc => {
                filter.clear();
                self.mode = Mode::Look;
            }
            KeyCode::Enter => self.mode = Mode::Look,
            _ => {}
        }
    }

    fn sort_by_next(&mut self) {
        let sorts = self.listing().sorts.len() + 1;
        let choice = &mut self.view().choice;
        choice.sort = (choice.sort + 1) % sorts;
    }

    /// Selects the row so much further down, as far as there are rows.
    fn go(&mut self, rows: isize) {
        let listing = self.listing();
        let at = self.position(&listing.rows).saturating_add_signed(rows);
        let row = listing.rows.get(at).or(listing.rows.last());
        self.view().selected = row.map(|row| row.name.clone());
    }

    /// Where the selected row is by now.
    pub(super) fn position(&self, rows: &[ListRow]) -> usize {
        let selected = self.views[self.pane as usize].selected.as_ref();
        selected.and_then(|name| rows.iter().position(|row| row.name == *name)).unwrap_or_default()
    }

    /// The rows of the pane, as they were chosen.
    pub(super) fn listing(&self) -> Listing {
        self.all_of(self.pane).choose(self.choice())
    }

    /// Whatever a pane has.
    pub(super) fn all_of(&self, pane: Pane) -> Listing {
        let status = self.status.as_ref();
        match pane {
            Pane::Pools => pools::listing(status),
            Pane::Routes => routes::listing(status),
            Pane::Clients => clients::listing(status),
            Pane::Refusals => refusals::listing(status),
        }
    }

    pub(super) fn choice(&self) -> &Choice {
        &self.views[self.pane as usize].choice
    }

    fn view(&mut self) -> &mut PaneView {
        &mut self.views[self.pane as usize]
    }
}

impl Pane {
    pub(super) const ALL: [Self; 4] = [Self::Pools, Self::Routes, Self::Clients, Self::Refusals];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pools => "Pools",
            Self::Routes => "Routes",
            Self::Clients => "Clients",
            Self::Refusals => "Upstream refusals",
        }
    }

    fn step(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}
