use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{draw_table, head};
use super::listing::{Choice, Listing, Tone};
use super::look::Look;
use super::state::{Pane, State};

/// How many rows of each kind are listed.
const MOST: u16 = 1_000;

/// One picture as a text, of everything there is.
pub(super) fn picture(state: &State) -> String {
    let mut lines = vec![head(state)];
    for pane in Pane::ALL {
        let listing = state.all_of(pane).choose(&Choice::default());
        lines.extend([String::new(), pane.name().to_owned()]);
        lines.extend(table(&listing));
        if pane == Pane::Pools {
            lines.extend(matters(&listing));
        }
    }
    lines.join("\n") + "\n"
}

/// As it is drawn, without what is blank at the ends.
fn table(listing: &Listing) -> Vec<String> {
    let width = listing.width();
    let rows = u16::try_from(listing.rows.len()).unwrap_or(u16::MAX).min(MOST);
    let area = Rect::new(0, 0, width, rows + 1);
    let mut buffer = Buffer::empty(area);
    draw_table(listing, None, Look::Plain, area, &mut buffer);
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..area.height).map(|y| line(y).trim_end().to_owned()).collect()
}

/// What is said of the pools with which something is the matter.
fn matters(listing: &Listing) -> impl Iterator<Item = String> {
    let bad = listing.rows.iter().filter(|row| row.tone != Tone::Calm);
    bad.flat_map(|row| [String::new(), format!("{}: {}", row.name, row.words.join(" "))])
}
