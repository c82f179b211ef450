use serde::{Deserialize, Serialize};

use super::config_view::ConfigView;
use super::diagnosis::millis;
use crate::gate::{Gate, ObservedCounts};
use crate::route::RouteId;

/// What would have been done with the requests of one route to pools that are only observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ObservedStatus {
    /// As it is written in the configuration.
    pub route: String,
    /// Would have waited, and then gone.
    pub would_wait: u64,
    /// The mean of their waits.
    pub mean_wait_ms: u64,
    /// Would have been refused.
    pub would_refuse: u64,
}

impl ObservedStatus {
    /// Of every route of which a request would have been held up.
    pub(super) fn all(config: &ConfigView, gate: &Gate) -> Vec<Self> {
        let counted = gate.observed().into_iter().enumerate();
        let held_up = counted.filter(|(_, counts)| counts.waited + counts.refused > 0);
        held_up.map(|(index, counts)| Self::new(config, RouteId(index), counts)).collect()
    }

    fn new(config: &ConfigView, route: RouteId, ObservedCounts { waited, wait, refused }: ObservedCounts) -> Self {
        Self {
            route: config.routes.route(route).name.clone(),
            would_wait: waited,
            mean_wait_ms: millis(wait) / waited.max(1),
            would_refuse: refused,
        }
    }
}
