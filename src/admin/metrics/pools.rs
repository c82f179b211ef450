use prometheus_client::metrics::MetricType::{Counter, Gauge};
use prometheus_client::registry::Unit;

use super::metric::Metric;
use super::samples::Samples;
use super::view::MetricsView;
use crate::admin::CauseName;
use crate::admin::pool::{InForceStatus, PoolStatus};

const POOL: &[&str] = &["pool", "counts"];

/// Of pools. One with a key has many instances, and what they have is added up, or the most of it is shown.
pub(super) static METRICS: [Metric; 14] = [
    Metric {
        name: "pool_instances",
        kind: Gauge,
        unit: None,
        help: "How many instances of the pool there are: one for each key, and one where it has none.",
        labels: POOL,
        of: |view, samples| view.by_pool(samples, |pool| Some(pool.instances.len() as u64)),
    },
    Metric {
        name: "pool_limit",
        kind: Gauge,
        unit: None,
        help: "How much each instance may take in each window, as configured.",
        labels: &["pool", "counts", "limit"],
        of: limits,
    },
    Metric {
        name: "pool_used",
        kind: Gauge,
        unit: None,
        help: "How much the window of a configured limit holds, of the instance that has most.",
        labels: &["pool", "counts", "limit"],
        of: used,
    },
    Metric {
        name: "pool_used_ratio",
        kind: Gauge,
        unit: None,
        help: "Which part is used of the limit in force, configured or learned, where 1 is all; of the fullest instance.",
        labels: POOL,
        of: |view, samples| {
            view.by_pool(samples, |pool| pool.most(|status| status.in_force.as_ref().map(InForceStatus::ratio)));
        },
    },
    Metric {
        name: "pool_learned_limit_per_second",
        kind: Gauge,
        unit: None,
        help: "The limit that was learned of the upstream, per second, of the instance that has least.",
        labels: POOL,
        of: |view, samples| {
            view.by_pool(samples, |pool| pool.least(|status| status.learned.as_ref()?.limit_per_s));
        },
    },
    Metric {
        name: "pool_learned_instances",
        kind: Gauge,
        unit: None,
        help: "How many instances have learned a limit of the upstream that is in force beside the configuration.",
        labels: POOL,
        of: |view, samples| {
            let has_learned =
                |status: &PoolStatus| status.learned.as_ref().is_some_and(|learned| learned.limit.is_some());
            view.by_pool(samples, |pool| Some(pool.count(has_learned)));
        },
    },
    Metric {
        name: "pool_reserved",
        kind: Gauge,
        unit: None,
        help: "How much is granted and not sent yet, of all instances.",
        labels: POOL,
        of: |view, samples| view.by_pool(samples, |pool| Some(pool.sum(|status| status.reserved))),
    },
    Metric {
        name: "pool_in_flight",
        kind: Gauge,
        unit: None,
        help: "How many requests are between their grant and the last byte of their answer, of all instances.",
        labels: POOL,
        of: |view, samples| view.by_pool(samples, |pool| Some(pool.sum(|status| status.in_flight.into()))),
    },
    Metric {
        name: "pool_in_flight_limit",
        kind: Gauge,
        unit: None,
        help: "How many may be in flight of each instance, where that is configured.",
        labels: POOL,
        of: |view, samples| {
            view.by_pool(samples, |pool| pool.pool.limits.in_flight.map(|most| u64::from(most.get())));
        },
    },
    Metric {
        name: "pool_waiting",
        kind: Gauge,
        unit: None,
        help: "How many requests wait that need the pool, of all instances.",
        labels: &["pool", "counts", "priority"],
        of: waiting,
    },
    Metric {
        name: "pool_predicted_wait",
        kind: Gauge,
        unit: Some(Unit::Seconds),
        help: "How long a new request would wait, of a client without queued requests, at the instance where it is longest.",
        labels: POOL,
        of: |view, samples| view.by_pool(samples, |pool| pool.most(|status| Some(seconds(status.eta_ms)))),
    },
    Metric {
        name: "pool_stalled",
        kind: Gauge,
        unit: Some(Unit::Seconds),
        help: "How long requests have waited beyond their predicted turn, or for how long the upstream has stopped all of \
               them, at the instance where it is longest; 0 where all goes well.",
        labels: POOL,
        of: |view, samples| {
            let stalled = |status: &PoolStatus| status.stalled_ms.map(seconds);
            view.by_pool(samples, |pool| Some(pool.most(stalled).unwrap_or_default()));
        },
    },
    Metric {
        name: "pool_diagnosis",
        kind: Gauge,
        unit: None,
        help: "How many instances have this diagnosis; a pool without a key has 1 at one of them, and 0 at the others.",
        labels: &["pool", "counts", "cause"],
        of: diagnoses,
    },
    Metric {
        name: "upstream_refusals",
        kind: Counter,
        unit: None,
        help: "Requests that the upstream refused, by the pool that is put down to and what it meant; what concerns every \
               pool of a request counts in each.",
        labels: &["pool", "counts", "cause"],
        of: |view, samples| {
            for refusal in &view.status.upstream_refusals {
                samples.put([&*refusal.pool, &refusal.counts, &refusal.cause], refusal.requests);
            }
        },
    },
];

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn limits(view: &MetricsView<'_>, samples: &mut Samples) {
    for pool in &view.pools {
        let [name, counts] = pool.labels();
        for rate in &pool.pool.limits.requests {
            samples.put([name, counts, &rate.to_string()], u64::from(rate.amount()));
        }
    }
}

fn used(view: &MetricsView<'_>, samples: &mut Samples) {
    for pool in &view.pools {
        let [name, counts] = pool.labels();
        for rate in &pool.pool.limits.requests {
            let limit = rate.to_string();
            let windows = pool.instances.iter().flat_map(|status| &status.limits);
            let used = windows.filter(|window| window.limit == limit).map(|window| window.used).max();
            samples.put([name, counts, &limit], used.unwrap_or_default());
        }
    }
}

fn waiting(view: &MetricsView<'_>, samples: &mut Samples) {
    for pool in &view.pools {
        let [name, counts] = pool.labels();
        let mut put = |priority, count| samples.put([name, counts, priority], count);
        put("high", pool.sum(|status| status.waiting_by.high as u64));
        put("normal", pool.sum(|status| status.waiting_by.normal as u64));
        put("low", pool.sum(|status| status.waiting_by.low as u64));
    }
}

fn diagnoses(view: &MetricsView<'_>, samples: &mut Samples) {
    for pool in &view.pools {
        let [name, counts] = pool.labels();
        for cause in CauseName::ALL {
            let instances = pool.count(|status| status.diagnosis.cause == cause);
            samples.put([name, counts, cause.name()], instances);
        }
    }
}
