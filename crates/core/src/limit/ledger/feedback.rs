//! What the upstream's answers tell of single instances: the ledger passes it on to their pools.

use std::time::{Duration, Instant};

use super::{Charge, InstanceId, Ledger};
use crate::limit::pool::RefusalFit;
use crate::limit::{EstimateView, FillLevel, Hint, Rate};

impl Ledger {
    /// The upstream accepted a request that was sent at about `sent_at`.
    pub fn accepted(&mut self, now: Instant, charge: Charge, sent_at: Instant, hint: Option<Hint>) {
        let hint = self.own_part(charge.instance, hint);
        self.pool_mut(charge.instance).accepted(now, sent_at, charge.cost, hint);
    }

    /// The upstream refused a request by the limit of this instance, and said to stay away for `wait`.
    pub fn refused(
        &mut self,
        now: Instant,
        id: InstanceId,
        sent_at: Instant,
        wait: Option<Duration>,
        hint: Option<Hint>,
    ) {
        let hint = self.own_part(id, hint);
        self.pool_mut(id).refused(now, sent_at, wait, hint);
    }

    /// The upstream speaks of the whole account.
    fn own_part(&self, id: InstanceId, hint: Option<Hint>) -> Option<Hint> {
        let share = self.limits[self.get(id).pool_id.0].share;
        hint.map(|hint| hint.shared(share))
    }

    /// What was sent at about `sent_at` does not count after all.
    pub fn uncommit(&mut self, now: Instant, charge: Charge, sent_at: Instant) {
        self.pool_mut(charge.instance).uncommit(now, sent_at, charge.cost);
    }

    /// What was sent at about `sent_at` cost `cost`, and not what was charged.
    pub fn correct(&mut self, now: Instant, charge: Charge, sent_at: Instant, cost: u32) {
        self.pool_mut(charge.instance).correct(now, sent_at, charge.cost, cost);
    }

    /// The rate grew faster than the upstream wants.
    pub fn ramp(&mut self, now: Instant, id: InstanceId, wait: Option<Duration>) {
        self.pool_mut(id).ramp(now, wait);
    }

    /// The upstream is overloaded: nothing is sent for a while, longer each time.
    pub fn back_off(&mut self, now: Instant, id: InstanceId, sent_at: Instant, wait: Option<Duration>) {
        self.pool_mut(id).back_off(now, sent_at, wait);
    }

    /// Nothing is sent for this time.
    pub fn stay_away(&mut self, now: Instant, id: InstanceId, time: Duration) {
        self.pool_mut(id).stay_away(now, time);
    }

    /// A refusal says how much the charged request counts for the upstream.
    pub fn measure(&mut self, charge: Charge, requested: u64) {
        self.pool_mut(charge.instance).measure(requested, charge.cost);
    }

    /// What a request that is estimated at `cost` costs by the upstream's count, as far as refusals have told it.
    #[must_use]
    pub fn scaled(&self, id: InstanceId, cost: u32) -> u32 {
        self.pool(id).scaled(cost)
    }

    /// The limit that the upstream reports, if that is what is believed.
    #[must_use]
    pub fn reported_limit(&self, id: InstanceId) -> Option<Rate> {
        self.pool(id).reported_limit()
    }

    /// What the upstream's limit is taken for, if anything was learned of it.
    #[must_use]
    pub fn estimate(&self, now: Instant, id: InstanceId) -> Option<EstimateView> {
        self.pool(id).estimate(now)
    }

    /// Whether requests wait for the limits as configured or reported, and not because the upstream refused.
    #[must_use]
    pub fn is_as_reported(&self, now: Instant, id: InstanceId) -> bool {
        self.pool(id).is_as_reported(now)
    }

    /// How full an instance is.
    pub fn level(&mut self, now: Instant, id: InstanceId) -> FillLevel {
        self.pool_mut(id).level(now)
    }

    /// What the window of an instance held when something was sent at about `sent_at`.
    pub fn used_at(&mut self, now: Instant, id: InstanceId, sent_at: Instant) -> u64 {
        self.pool_mut(id).used_at(now, sent_at)
    }

    /// Of these instances the one that a refusal of what was sent at about `sent_at` fits best. What was learned of the
    /// others from earlier refusals is forgotten: it was not their limit.
    pub fn blame(&mut self, now: Instant, suspects: &[InstanceId], sent_at: Instant) -> Option<InstanceId> {
        let fit = suspects.iter().map(|&id| (self.pool_mut(id).fits(now, sent_at), id));
        let (_, culprit): (RefusalFit, _) = fit.max_by_key(|&(fit, _)| fit)?;
        for &suspect in suspects {
            self.pool_mut(suspect).suspect(now);
            if suspect != culprit {
                self.pool_mut(suspect).acquit();
            }
        }
        Some(culprit)
    }
}
