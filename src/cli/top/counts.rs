//! What has come of requests, by whatever they are counted.

use super::listing::{Cell, Column, ListRow, Tone, span};
use crate::admin::{CountStatus, SpreadStatus};

pub(super) const ROUTES: &[Column] = &columns("Route");
pub(super) const CLIENTS: &[Column] = &columns("Client");

pub(super) const SORTS: &[&str] = &["requests", "errors", "refused", "failed", "wait"];

const fn columns(head: &'static str) -> [Column; 10] {
    [
        Column { head, width: 0 },
        Column { head: "Requests", width: 8 },
        Column { head: "Errors", width: 7 },
        Column { head: "Refused", width: 7 },
        Column { head: "Failed", width: 7 },
        Column { head: "Wait p95", width: 8 },
        Column { head: "Answer p95", width: 10 },
        Column { head: "Left", width: 6 },
        Column { head: "Shared", width: 7 },
        Column { head: "Again", width: 6 },
    ]
}

pub(super) fn row(name: &str, counts: &CountStatus, also: String) -> ListRow {
    let CountStatus { requests, errors, refused, failed, left, coalesced, retried, wait_ms, upstream_ms, .. } = counts;
    let tone = match (errors + refused + failed, wait_ms.p95) {
        (0, 0..1_000) => Tone::Calm,
        (0, _) => Tone::Busy,
        _ => Tone::Bad,
    };
    ListRow {
        name: name.to_owned(),
        cells: vec![
            Cell::count(*requests),
            Cell::count(*errors),
            Cell::count(*refused),
            Cell::count(*failed),
            Cell::span(wait_ms.p95),
            Cell::span(upstream_ms.p95),
            Cell::count(*left),
            Cell::count(*coalesced),
            Cell::count(*retried),
        ],
        ranks: vec![*requests, *errors, *refused, *failed, wait_ms.p95],
        tone,
        words: vec![also, met(counts), spread("The wait", wait_ms), spread("The answer", upstream_ms)],
    }
}

/// What the upstream answered, or why it did not.
fn met(CountStatus { statuses, unanswered, .. }: &CountStatus) -> String {
    let all = statuses.iter().chain(unanswered).map(|(name, count)| format!("{name} ×{count}"));
    let all = all.collect::<Vec<_>>().join(", ");
    if all.is_empty() { "The upstream has answered none.".to_owned() } else { format!("Answers: {all}.") }
}

fn spread(what: &str, SpreadStatus { mean, p50, max, .. }: &SpreadStatus) -> String {
    let [mean, p50, max] = [*mean, *p50, *max].map(span);
    format!("{what} took {mean} on average, up to {p50} for one half, and {max} at most.")
}
