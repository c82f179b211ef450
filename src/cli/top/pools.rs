use super::listing::{Cell, Column, ListRow, Listing, Tone, span};
use crate::admin::{CauseName, InForceStatus, PoolStatus, Status, WaitingFor, WaitsStatus, Worst};

const COLUMNS: &[Column] = &[
    Column { head: "Pool", width: 0 },
    Column { head: "Used", width: 10 },
    Column { head: "of", width: 18 },
    Column { head: "Waiting", width: 7 },
    Column { head: "Wait p95", width: 8 },
    Column { head: "What it is", width: 15 },
    Column { head: "Flying", width: 6 },
    Column { head: "Refused", width: 7 },
    Column { head: "Upstream", width: 8 },
];

const SORTS: &[&str] = &["worst", "use", "waiting", "wait p95", "refusals", "upstream refusals"];

/// The pool instances, and whatever else is the matter, the worst first.
pub(super) fn listing(status: Option<&Status>) -> Listing {
    let pools = status.map_or(&[][..], |status| &status.pools);
    let worst = status.map_or(&[][..], |status| &status.worst);
    // What is the matter with a pool instance stands at its row.
    let others = worst.iter().filter(|worst| worst.counts.is_none());
    let rows = pools.iter().map(row).chain(others.map(trouble)).collect();
    Listing { columns: COLUMNS, sorts: SORTS, rows, empty: "No pool has been asked." }
}

/// Requests that fail for another reason than a pool's limit.
fn trouble(worst: &Worst) -> ListRow {
    let none = || Cell::Text(String::new());
    let what = [Some(case(worst.cause)), worst.kind.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let cells = vec![
        Cell::Bar(None),
        none(),
        Cell::count(worst.waiting as u64),
        Cell::span(0),
        Cell::Text(what),
        Cell::count(0),
        Cell::count(worst.failures),
        Cell::count(0),
    ];
    ListRow {
        name: worst.label.clone(),
        cells,
        ranks: vec![severity(worst.rank), 0, worst.waiting as u64, 0, worst.failures, 0],
        tone: Tone::Bad,
        words: [Some(&worst.text), worst.advice.as_ref()].into_iter().flatten().cloned().collect(),
    }
}

fn row(pool: &PoolStatus) -> ListRow {
    let fill = pool.in_force.as_ref().filter(|limit| limit.max > 0);
    let ranks = [
        severity(pool.rank),
        use_of(fill),
        pool.waiting as u64,
        pool.waits.p95_ms,
        pool.refused,
        pool.upstream_refused,
    ];
    ListRow {
        name: pool.label(),
        cells: vec![
            Cell::Bar(fill.map(|limit| (limit.used, limit.max))),
            Cell::Text(fill.map_or_else(String::new, |limit| format!("{}/{}", limit.used, limit.limit))),
            Cell::count(pool.waiting as u64),
            Cell::span(pool.waits.p95_ms),
            Cell::Text(case(pool.diagnosis.cause).to_owned()),
            Cell::count(pool.in_flight.into()),
            Cell::count(pool.refused),
            Cell::count(pool.upstream_refused),
        ],
        ranks: ranks.to_vec(),
        tone: tone(pool),
        words: words(pool),
    }
}

/// The greater, the worse: in the gate's own order.
fn severity(rank: usize) -> u64 {
    u64::MAX - rank as u64
}

/// In thousandths.
fn use_of(limit: Option<&InForceStatus>) -> u64 {
    limit.map_or(0, |limit| limit.used * 1_000 / limit.max.max(1))
}

fn tone(pool: &PoolStatus) -> Tone {
    match pool.diagnosis.cause {
        _ if !pool.is_finding() && pool.waiting == 0 => Tone::Calm,
        CauseName::WithinLimits | CauseName::NotEnoughEvidence | CauseName::OwnLimit => Tone::Busy,
        _ => Tone::Bad,
    }
}

/// What is the matter, in two words.
fn case(cause: CauseName) -> &'static str {
    match cause {
        CauseName::WithinLimits => "within limits",
        CauseName::NotEnoughEvidence => "not known yet",
        CauseName::ConfiguredTooLow => "set too low",
        CauseName::OwnLimit => "at its limit",
        CauseName::Bursts => "bursts refused",
        CauseName::LowerLimit => "lower limit",
        CauseName::InFlight => "in-flight limit",
        CauseName::Shared => "somebody else",
        CauseName::Throttled => "throttled",
        CauseName::Incident => "incident",
        CauseName::Rejected => "rejected",
        CauseName::Unreachable => "unreachable",
        CauseName::Gone => "endpoint gone",
        CauseName::Billing => "billing",
    }
}

fn words(pool: &PoolStatus) -> Vec<String> {
    let diagnosis = [Some(&pool.diagnosis.text), pool.diagnosis.advice.as_ref()];
    let stalled = pool.stalled_ms.map(|ms| format!("It has stood still for {}.", span(ms)));
    diagnosis.into_iter().flatten().cloned().chain(line(pool)).chain(stalled).collect()
}

/// Who waits and for how long, and how long those waited that went.
fn line(pool: &PoolStatus) -> Vec<String> {
    let WaitsStatus { requests, p50_ms, p95_ms, max_ms } = pool.waits;
    let [p50, p95, max] = [p50_ms, p95_ms, max_ms].map(span);
    let waited = || {
        format!("Of the {requests} that went in the last minute, half waited up to {p50}, 95 % up to {p95}, one {max}.")
    };
    let waited = (max_ms > 0).then(waited);
    let clients = pool.waiting_for.iter().take(3).map(client).collect::<Vec<_>>().join(", ");
    let oldest = pool.oldest_ms.map_or(String::new(), |ms| format!("; the oldest for {}", span(ms)));
    let goes = pool.head_goes_in_ms.map_or(String::new(), |ms| format!("; the first goes in {}", span(ms)));
    let waits = pool.line().map(|waits| format!("{waits}: {clients}{oldest}{goes}."));
    waits.into_iter().chain(waited).collect()
}

fn client(WaitingFor { client, requests, next_ms }: &WaitingFor) -> String {
    let next = next_ms.map_or(String::new(), |ms| format!(" (its next would go in {})", span(ms)));
    format!("{requests} of {client}{next}")
}
