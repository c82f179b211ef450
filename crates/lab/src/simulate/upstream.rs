use std::time::{Duration, Instant};

use super::traffic::UpstreamLimits;
use crate::limit::Rate;
use crate::meter::{Counted, Counts, Meter, RuleMeters, RuleRequest};
use crate::route::{Priority, RouteId, Table, Template};

/// The upstream's own limits, counted as the mock counts.
pub(super) struct SimulatedUpstream {
    caps: Vec<LimitedRoutes>,
    rules: RuleMeters,
    chance: fastrand::Rng,
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
        let limited = caps.limits.iter().map(cap).collect();
        let rules = RuleMeters::new(&caps.rules, counts, &mut || chance.f64());
        Self { caps: limited, rules, chance: chance.fork() }
    }

    /// Counts a request at all of its limits, or at none if one has no room. Returns by which rules it counts until its response
    /// has [ended](Self::end), if it is accepted.
    pub(super) fn takes(&mut self, now: Instant, request: RuleRequest<'_>) -> Option<Counted> {
        let RuleRequest { method, path, .. } = request;
        let matches = |cap: &&mut LimitedRoutes| cap.table.find(method, path).route() != RouteId::default();
        let Self { caps, rules, chance } = self;
        let mut of_it: Vec<_> = caps.iter_mut().filter(matches).collect();
        let has_room = of_it.iter_mut().all(|cap| cap.meter.room(now, 1).is_ok());
        let counted = rules.check(now, request, &mut || chance.f64()).ok().filter(|_| has_room)?;
        of_it.iter_mut().for_each(|cap| cap.meter.count(now, 1));
        rules.admit(now, &counted);
        Some(counted)
    }

    /// The response to a request that was accepted has ended.
    pub(super) fn end(&mut self, counted: &Counted) {
        self.rules.end(counted);
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
