use prometheus_client::metrics::MetricType::{Counter, Gauge, Histogram, Info};
use prometheus_client::registry::Unit;

use super::metric::Metric;
use super::pools;
use super::samples::Samples;
use super::view::MetricsView;
use crate::gate::{End, Met, RequestCounts};

/// Every metric, in the order in which a scrape shows them.
pub(super) fn all() -> impl Iterator<Item = &'static Metric> {
    GATE.iter().chain(&REQUESTS).chain(&pools::METRICS)
}

/// Of the gate as a whole.
static GATE: [Metric; 10] = [
    Metric {
        name: "build",
        kind: Info,
        unit: None,
        help: "Always 1; the version of this gate.",
        labels: &["version"],
        of: |view, samples| samples.put([&*view.status.version], 1),
    },
    Metric {
        name: "config",
        kind: Info,
        unit: None,
        help: "Always 1; the first 16 digits of the SHA-256 of the configuration in force.",
        labels: &["hash"],
        of: |view, samples| samples.put([&*view.status.config_hash], 1),
    },
    Metric {
        name: "uptime",
        kind: Gauge,
        unit: Some(Unit::Seconds),
        help: "How long the gate has been running.",
        labels: &[],
        of: |view, samples| samples.put([], view.status.uptime_s),
    },
    Metric {
        name: "draining",
        kind: Gauge,
        unit: None,
        help: "1 while the gate is stopping, else 0.",
        labels: &[],
        of: |view, samples| samples.put([], u64::from(view.status.draining)),
    },
    Metric {
        name: "waiting_requests",
        kind: Gauge,
        unit: None,
        help: "How many requests wait for their turn.",
        labels: &[],
        of: |view, samples| samples.put([], view.status.waiting as u64),
    },
    Metric {
        name: "open_connections",
        kind: Gauge,
        unit: None,
        help: "How many connections of clients there are.",
        labels: &[],
        of: |view, samples| samples.put([], view.status.connections.open),
    },
    Metric {
        name: "closed_connections",
        kind: Counter,
        unit: None,
        help: "How many connections of clients have come and gone.",
        labels: &[],
        of: |view, samples| samples.put([], view.status.connections.closed),
    },
    Metric {
        name: "buffered",
        kind: Gauge,
        unit: Some(Unit::Bytes),
        help: "How much is held of bodies: of requests that wait or may be sent again, and of answers that are shared.",
        labels: &[],
        of: |view, samples| samples.put([], view.status.buffered.bytes),
    },
    Metric {
        name: "buffered_limit",
        kind: Gauge,
        unit: Some(Unit::Bytes),
        help: "How much may be held of bodies, those of requests and of answers together.",
        labels: &[],
        of: |view, samples| samples.put([], view.status.buffered.max_bytes),
    },
    Metric {
        name: "refusals",
        kind: Counter,
        unit: None,
        help: "Requests that the gate refused, by the pool (empty where it was none) and the code in the answer.",
        labels: &["pool", "code"],
        of: |view, samples| {
            for refusal in &view.status.refusals {
                samples.put([refusal.pool.as_deref().unwrap_or_default(), &refusal.code], refusal.requests);
            }
        },
    },
];

/// Of requests, by the route they took.
static REQUESTS: [Metric; 10] = [
    Metric {
        name: "requests",
        kind: Counter,
        unit: None,
        help: "Requests that are over. passed: with an answer of the upstream that is no error; rejected: with one that is \
               (400 or above); refused: by the gate; failed: no answer, or half of one; left: by the client.",
        labels: &["route", "outcome"],
        of: outcomes,
    },
    Metric {
        name: "answers",
        kind: Counter,
        unit: None,
        help: "Answers of the upstream by status; statuses that are not told apart are counted as 2xx, 4xx and the like.",
        labels: &["route", "status"],
        of: |view, samples| met(view, samples, |met| !met.is_obstacle()),
    },
    Metric {
        name: "unanswered_requests",
        kind: Counter,
        unit: None,
        help: "Requests without a complete answer of the upstream, by what was in the way: dns, connect, tls, proxy, timeout, \
               or broken, for a connection that ended.",
        labels: &["route", "reason"],
        of: |view, samples| met(view, samples, Met::is_obstacle),
    },
    Metric {
        name: "retried_requests",
        kind: Counter,
        unit: None,
        help: "Requests that were sent more than once, as the upstream refused them.",
        labels: &["route"],
        of: |view, samples| view.by_route(samples, |counted| counted.retried),
    },
    Metric {
        name: "observed_requests",
        kind: Counter,
        unit: None,
        help: "Requests to pools that are only observed. would_wait: for their turn; would_refuse: by the gate.",
        labels: &["route", "outcome"],
        of: |view, samples| {
            for observed in &view.status.observed {
                let outcomes = [("would_wait", observed.would_wait), ("would_refuse", observed.would_refuse)];
                outcomes.into_iter().for_each(|(outcome, count)| samples.put([&*observed.route, outcome], count));
            }
        },
    },
    Metric {
        name: "coalesced_requests",
        kind: Counter,
        unit: None,
        help: "GETs on routes that share calls. calls: went on; joined: had the answer of a call under way; reused: had an \
               answer that had come before.",
        labels: &["route", "part"],
        of: |view, samples| {
            for shared in &view.status.coalesced {
                let parts = [("calls", shared.calls), ("joined", shared.joined), ("reused", shared.reused)];
                parts.into_iter().for_each(|(part, count)| samples.put([&*shared.route, part], count));
            }
        },
    },
    Metric {
        name: "held_polls",
        kind: Counter,
        unit: None,
        help: "GETs on routes that share calls that were kept for a while to see a change.",
        labels: &["route"],
        of: |view, samples| view.by_shared_route(samples, |shared| shared.held),
    },
    Metric {
        name: "paced_calls",
        kind: Counter,
        unit: None,
        help: "Calls on routes that share them that waited so that polling keeps to its share of their pools.",
        labels: &["route"],
        of: |view, samples| view.by_shared_route(samples, |shared| shared.paced),
    },
    Metric {
        name: "wait",
        kind: Histogram,
        unit: Some(Unit::Seconds),
        help: "How long requests waited for their turn, but for those whose client left before an answer.",
        labels: &["route"],
        of: |view, samples| view.by_route(samples, |counted: &RequestCounts| &counted.wait),
    },
    Metric {
        name: "upstream",
        kind: Histogram,
        unit: Some(Unit::Seconds),
        help: "How long the upstream took, from the sending of a request to the last byte of its answer.",
        labels: &["route"],
        of: |view, samples| view.by_route(samples, |counted: &RequestCounts| &counted.upstream),
    },
];

fn outcomes(view: &MetricsView<'_>, samples: &mut Samples) {
    for (route, counted) in &view.routes {
        for how in End::ALL {
            let errors = if how == End::Passed { counted.errors } else { 0 };
            samples.put([*route, how.name()], counted.ended(how).saturating_sub(errors));
        }
        samples.put([*route, "rejected"], counted.errors);
    }
}

/// What the requests of each route met at the upstream, as far as it is meant.
fn met(view: &MetricsView<'_>, samples: &mut Samples, is_meant: impl Fn(Met) -> bool) {
    for (route, counted) in &view.routes {
        for (met, count) in counted.answers.met().filter(|&(met, _)| is_meant(met)) {
            samples.put([*route, &met.name()], count);
        }
    }
}
