use super::listing::{Cell, Column, ListRow, Listing, Tone, span};
use crate::admin::{EventStatus, Status};

const COLUMNS: &[Column] = &[
    Column { head: "Pool", width: 0 },
    Column { head: "Ago", width: 7 },
    Column { head: "Requests", width: 8 },
    Column { head: "Meaning", width: 12 },
];

const SORTS: &[&str] = &["time", "requests"];

/// What the upstream has refused, the last first.
pub(super) fn listing(status: Option<&Status>) -> Listing {
    let events = status.map_or(&[][..], |status| &status.events);
    let now = status.map_or(0, |status| status.at_ms);
    let rows = events.iter().rev().map(|event| row(event, now));
    Listing { columns: COLUMNS, sorts: SORTS, rows: rows.collect(), empty: "The upstream has refused nothing lately." }
}

fn row(EventStatus { at_ms, pool, refusals, refusal_cause, text, .. }: &EventStatus, now: u64) -> ListRow {
    ListRow {
        name: pool.clone(),
        cells: vec![
            Cell::Number(span(now.saturating_sub(*at_ms))),
            Cell::count((*refusals).into()),
            Cell::Text(refusal_cause.clone()),
        ],
        ranks: vec![*at_ms, (*refusals).into()],
        tone: Tone::Bad,
        words: vec![text.clone()],
    }
}
