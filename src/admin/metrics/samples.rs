use std::fmt;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use crate::gate::Distribution;

/// The values of a metric, each with its labels'.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<(Vec<String>, MetricValue)>);

/// What a metric has come to.
#[derive(Debug)]
pub(super) enum MetricValue {
    Count(u64),
    Number(f64),
    Distribution(Distribution),
}

impl Samples {
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Vec<String>, MetricValue)> {
        self.0.iter()
    }

    pub(super) fn put<'l>(&mut self, labels: impl IntoIterator<Item = &'l str>, value: impl Into<MetricValue>) {
        self.0.push((labels.into_iter().map(str::to_owned).collect(), value.into()));
    }
}

/// The bounds that a histogram has here, in seconds: every other of those that are counted.
const BOUNDS: [f64; 18] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];

impl MetricValue {
    pub(super) fn encode(&self, kind: MetricType, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) if kind == MetricType::Counter => encoder.encode_counter(count, NO_EXEMPLAR),
            Self::Count(count) => encoder.encode_gauge(count),
            Self::Number(number) => encoder.encode_gauge(number),
            Self::Distribution(spread) => {
                let buckets = buckets(spread);
                encoder.encode_histogram::<NoLabelSet>(spread.sum.as_secs_f64(), spread.count(), &buckets, None)
            }
        }
    }
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, u64>> = None;

/// How many are between each of [`BOUNDS`] and the one before.
fn buckets(spread: &Distribution) -> Vec<(f64, u64)> {
    let (mut cumulated, mut before) = (spread.cumulated().peekable(), 0);
    let up_to = |bound: f64| {
        let mut count = before;
        while let Some((_, up_to)) = cumulated.next_if(|(at, _)| at.as_secs_f64() <= bound) {
            count = up_to;
        }
        (bound, count - std::mem::replace(&mut before, count))
    };
    BOUNDS.map(up_to).into()
}

impl From<u64> for MetricValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<f64> for MetricValue {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&Distribution> for MetricValue {
    fn from(spread: &Distribution) -> Self {
        Self::Distribution(spread.clone())
    }
}
