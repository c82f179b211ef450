use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::samples::Samples;
use super::view::MetricsView;

/// One metric: what it is called, what it means, and where its values come from.
pub(super) struct Metric {
    /// Without what stands before and behind every name of its kind.
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    pub(super) unit: Option<Unit>,
    pub(super) help: &'static str,
    /// Labels, whose values come from the configuration.
    pub(super) labels: &'static [&'static str],
    pub(super) of: fn(&MetricsView<'_>, &mut Samples),
}

impl Metric {
    pub(super) fn samples(&self, view: &MetricsView<'_>) -> Samples {
        let mut samples = Samples::default();
        (self.of)(view, &mut samples);
        samples
    }

    pub(super) fn encode(&self, samples: &Samples, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder = encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), self.kind)?;
        for (values, value) in samples.iter() {
            let labels: Vec<(&str, &str)> =
                self.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
            value.encode(self.kind, encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
