use std::time::{Duration, Instant};

use super::traffic::UpstreamLimits;
use crate::limit::Rate;
use crate::meter::{Counts, Meter};
use crate::route::{Priority, RouteId, Table, Template};

/// The upstream's own limits, counted as the mock counts.
pub(super) struct SimulatedUpstream {
    caps: Vec<LimitedRoutes>,
}

/// A limit on the requests that match.
struct LimitedRoutes {
    table: Table,
    meter: Meter,
}

impl SimulatedUpstream {
    pub(super) fn new(caps: &UpstreamLimits, now: Instant, chance: &mut fastrand::Rng) -> Self {
        let counts = Counts { window: caps.window, burst: caps.burst, minute: Duration::from_mins(1) };
        let cap = |(templates, rate): &(Vec<Template>, Rate)| LimitedRoutes {
            table: table(templates),
            meter: Meter::new(*rate, counts, now, chance.f64()),
        };
        Self { caps: caps.limits.iter().map(cap).collect() }
    }

    /// Counts a request at all of its limits, or at none if one has no room. Returns whether it is accepted.
    pub(super) fn takes(&mut self, now: Instant, method: &str, path: &str) -> bool {
        let matches = |cap: &&mut LimitedRoutes| cap.table.find(method, path).route() != RouteId::default();
        let mut of_it: Vec<_> = self.caps.iter_mut().filter(matches).collect();
        let has_room = of_it.iter_mut().all(|cap| cap.meter.room(now, 1).is_ok());
        if has_room {
            of_it.iter_mut().for_each(|cap| cap.meter.count(now, 1));
        }
        has_room
    }
}

/// The table of these templates. A duplicate changes nothing.
fn table(templates: &[Template]) -> Table {
    let mut table = Table::default();
    for template in templates {
        let _tie = table.insert(template, Vec::new(), Priority::default());
    }
    table
}
