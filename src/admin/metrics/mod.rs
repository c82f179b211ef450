//! Metrics for Prometheus: a table of what there is ([`table`]), filled from the one snapshot at every scrape.

mod metric;
mod pools;
mod samples;
mod table;
mod view;

pub(super) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

use super::config_view::ConfigView;
use super::status::Status;
use crate::gate::RequestCounts;
use metric::Metric;
use samples::Samples;
use view::MetricsView;

/// Every metric, as Prometheus reads it.
pub(super) fn text(config: &ConfigView, status: &Status, counted: &[RequestCounts]) -> String {
    let (view, mut text) = (MetricsView::new(config, status, counted), String::new());
    let scrape = Scrape { metrics: table::all().map(|metric| (metric, metric.samples(&view))).collect() };
    let mut registry = Registry::with_prefix("tidegate");
    registry.register_collector(Box::new(scrape));
    prometheus_text::encode(&mut text, &registry).expect("a text takes all that is written to it");
    text
}

/// What one scrape is told.
#[derive(Debug)]
struct Scrape {
    metrics: Vec<(&'static Metric, Samples)>,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.metrics.iter().try_for_each(|(metric, samples)| metric.encode(samples, &mut encoder))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::admin::recent::RecentAnswers;
    use crate::config::{Config, Source};
    use crate::gate::Gate;

    #[tokio::test]
    async fn what_was_held_and_what_was_paced_is_told_of_each_route_that_shares() {
        let routes = "[[routes]]\nmatch = \"GET /v1/x\"\npools = []\ncoalesce = true";
        let config = Config::parse(&Source::Text("test".to_owned()), &format!("extends = \"none\"\n{routes}"));
        let config = config.expect("a valid configuration");
        let (config, gate) = (ConfigView::new(&config), Gate::start(&config).expect("a gate"));
        let mut status =
            Status::new(&config, &gate, &RecentAnswers::default(), &gate.admission().snapshot(), Duration::ZERO);
        (status.coalesced[0].held, status.coalesced[0].paced) = (7, 8);
        let scrape = text(&config, &status, &[]);
        for line in ["held_polls_total{route=\"GET /v1/x\"} 7", "paced_calls_total{route=\"GET /v1/x\"} 8"] {
            assert!(scrape.lines().any(|known| known == format!("tidegate_{line}")), "no {line}: {scrape}");
        }
    }
}
