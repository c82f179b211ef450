use std::time::{Duration, Instant};

use super::traffic::Caps;
use crate::limit::Rate;
use crate::meter::{Counts, Meter};
use crate::route::{Priority, RouteId, Table, Template};

/// The upstream's own limits, counted as the stand-in counts.
pub(super) struct Upstream {
    caps: Vec<Cap>,
}

/// So many of what matches.
struct Cap {
    table: Table,
    meter: Meter,
}

impl Upstream {
    pub(super) fn new(caps: &Caps, now: Instant, chance: &mut fastrand::Rng) -> Self {
        let counts = Counts { window: caps.window, burst: caps.burst, minute: Duration::from_mins(1) };
        let cap = |(templates, rate): &(Vec<Template>, Rate)| Cap {
            table: table(templates),
            meter: Meter::new(*rate, counts, now, chance.f64()),
        };
        Self { caps: caps.limits.iter().map(cap).collect() }
    }

    /// A request arrives: it takes from all of its limits, or from none and is refused; whether it is taken.
    pub(super) fn takes(&mut self, now: Instant, method: &str, path: &str) -> bool {
        let matches = |cap: &&mut Cap| cap.table.find(method, path).route() != RouteId::default();
        let mut of_it: Vec<_> = self.caps.iter_mut().filter(matches).collect();
        let has_room = of_it.iter_mut().all(|cap| cap.meter.room(now, 1).is_ok());
        if has_room {
            of_it.iter_mut().for_each(|cap| cap.meter.count(now, 1));
        }
        has_room
    }
}

/// A template that is written twice matches what it matches once.
fn table(templates: &[Template]) -> Table {
    let mut table = Table::default();
    for template in templates {
        let _tie = table.insert(template, Vec::new(), Priority::default());
    }
    table
}
