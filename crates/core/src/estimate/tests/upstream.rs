//! An upstream with one true rule.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::scenario::{Rule, Scenario, Scope};
use crate::estimate::{KeyKind, Subject};
use crate::limit::Rate;
use crate::meter::{Counts, Meter};

pub(super) struct Upstream {
    rule: Rule,
    scope: Scope,
    began: Instant,
    length: Duration,
    phase: f64,
    meters: HashMap<u64, Meter>,
    in_flight: HashMap<u64, u32>,
}

impl Upstream {
    pub(super) fn new(scenario: &Scenario, began: Instant, chance: &mut fastrand::Rng) -> Self {
        let mut upstream = Self {
            rule: scenario.rule,
            scope: scenario.scope,
            began,
            length: scenario.per * scenario.windows,
            phase: chance.f64(),
            meters: HashMap::new(),
            in_flight: HashMap::new(),
        };
        if let Rule::Rate { amount, .. } = scenario.rule
            && scenario.prefilled
        {
            (0..amount).for_each(|_| assert!(upstream.arrives_in(began, 0, chance), "it was empty"));
        }
        upstream
    }

    /// Which group a request counts in; nothing where the rule does not concern it.
    pub(super) fn group(scope: Scope, subject: &Subject) -> Option<u64> {
        match scope {
            Scope::Upstream => Some(0),
            Scope::Pool => (subject.pools[0] == 0).then_some(0),
            Scope::Route => (subject.pools[0] == 0 && subject.route.0 == 0).then_some(0),
            Scope::Path => subject.keys[KeyKind::Path as usize].filter(|_| subject.pools[0] == 0),
            Scope::Account => subject.keys[KeyKind::Account as usize],
        }
    }

    /// A request arrives; whether it is accepted.
    pub(super) fn arrives(&mut self, now: Instant, subject: &Subject, chance: &mut fastrand::Rng) -> bool {
        let Some(group) = Self::group(self.scope, subject) else { return true };
        self.arrives_in(now, group, chance)
    }

    pub(super) fn arrives_in(&mut self, now: Instant, group: u64, chance: &mut fastrand::Rng) -> bool {
        match self.rule {
            Rule::Open => true,
            Rule::Random(share) => chance.f64() >= share,
            Rule::Outage(from, to) => {
                let part = (now - self.began).as_secs_f64() / self.length.as_secs_f64();
                !(from..to).contains(&part)
            }
            Rule::InFlight(most) => {
                let count = self.in_flight.entry(group).or_default();
                let has_room = *count < most;
                *count += u32::from(has_room);
                has_room
            }
            Rule::Rate { amount, per, counting, burst, refusals_count } => {
                let rate = Rate::new(NonZeroU32::new(amount).expect("more than none"), per).expect("a window");
                let minute = Duration::from_mins(1);
                let counts = Counts { window: counting, burst: burst.and_then(NonZeroU32::new), minute };
                let (began, phase) = (self.began, self.phase);
                let meter = self.meters.entry(group).or_insert_with(|| Meter::new(rate, counts, began, phase));
                let has_room = meter.room(now, 1).is_ok();
                if has_room || refusals_count {
                    meter.count(now, 1);
                }
                has_room
            }
        }
    }

    pub(super) fn completes(&mut self, subject: &Subject) {
        if let Some(group) = Self::group(self.scope, subject)
            && let Some(count) = self.in_flight.get_mut(&group)
        {
            *count -= 1;
        }
    }
}
