//! What keeps to a limit that is believed, and finds out whether there is more.

mod concurrency;
mod gate;
mod outage;
mod probe;
mod ramp;
mod rate;
mod spread;

pub(super) use concurrency::Concurrency;
pub(super) use gate::Gate;
pub(super) use outage::Outage;
pub(super) use ramp::Ramp;
pub(super) use rate::Rate;
pub(super) use spread::Spread;

use super::hypothesis::{Hypothesis, View};
use super::lens::name_of;
use super::subject::Subject;

/// A limit in force.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    pub(super) hypothesis: Hypothesis,
    /// The route, where it is of one.
    pub(super) route: Option<u64>,
    pub(super) control: Control,
}

#[derive(Clone, Debug)]
pub(super) enum Control {
    Rate(Rate),
    Concurrency(Concurrency),
    /// Pacing cannot help, unless nothing is accepted any more; or that is so already: one goes now and then.
    Outage(Outage),
}

impl Limiter {
    pub(super) fn binds(&self, subject: &Subject) -> bool {
        match self.hypothesis.view {
            View::Pool => true,
            View::Route => self.route == Some(subject.route.0 as u64),
            View::Key(_) => name_of(self.hypothesis.view.index(), subject).is_some(),
        }
    }

    pub(super) fn stay_away(&mut self, subject: &Subject, until: u64) {
        let name = name_of(self.hypothesis.view.index(), subject).unwrap_or_default();
        if let Control::Rate(rate) = &mut self.control {
            rate.stay_away(name, until);
        }
    }

    pub(super) fn sent(&mut self, at: u64, subject: &Subject) {
        let name = name_of(self.hypothesis.view.index(), subject).unwrap_or_default();
        if let Control::Rate(rate) = &mut self.control {
            rate.sent(at, name);
        }
    }
}
