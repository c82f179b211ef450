//! A gate that knows the rule.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::scenario::{Rule, Scenario};
use super::upstream::Upstream;
use crate::estimate::Subject;

/// What a timer is late is caught up.
const LATE: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(super) struct Oracle {
    next: HashMap<u64, Instant>,
    in_flight: HashMap<u64, u32>,
}

impl Oracle {
    /// Whether a request may go; if not, until when, if that can be said.
    pub(super) fn may_go(&self, now: Instant, scenario: &Scenario, subject: &Subject) -> Result<(), Option<Instant>> {
        let Some(group) = Upstream::group(scenario.scope, subject) else { return Ok(()) };
        match scenario.rule {
            Rule::InFlight(most) if self.in_flight.get(&group).is_some_and(|&count| count >= most) => Err(None),
            Rule::Rate { .. } => match self.next.get(&group) {
                Some(&next) if next > now => Err(Some(next)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn sent(&mut self, now: Instant, scenario: &Scenario, subject: &Subject) {
        let Some(group) = Upstream::group(scenario.scope, subject) else { return };
        *self.in_flight.entry(group).or_default() += 1;
        if let Rule::Rate { amount, per, .. } = scenario.rule {
            let next = self.next.entry(group).or_insert(now);
            *next = (*next).max(now.checked_sub(LATE).unwrap_or(now)) + per / amount;
        }
    }

    pub(super) fn completed(&mut self, scenario: &Scenario, subject: &Subject) {
        if let Some(group) = Upstream::group(scenario.scope, subject) {
            *self.in_flight.entry(group).or_default() -= 1;
        }
    }
}
