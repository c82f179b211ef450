//! What became of sent requests: the scheduler learns from each response.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::state::Scheduler;
use crate::hints::{Allowance, LimitFigures, Pushback, RefusalCause};
use crate::limit::{Charge, Hint, InstanceId, Rate, Unit};
use crate::route::RouteId;

/// Limits of longer windows are not paced: once used up, requests are refused at once. A guess: no client waits a day.
const LONGEST: Duration = Duration::from_hours(1);

/// How long a hint is believed that names no such window. A guess: the longest of a minute's limits was 60.6 s
/// (docs/upstream.md §1.2).
const BELIEVED: Duration = Duration::from_mins(10);

impl<W> Scheduler<W> {
    /// The upstream took a request that was sent at `sent_at`, and its answer says what is left.
    pub fn accepted(&mut self, now: Instant, charges: &[Charge], sent_at: Instant, allowances: &[Allowance]) {
        for &charge in charges {
            let hint = self.hint(charge.instance, allowances);
            let known = self.ledger.reported_limit(charge.instance);
            let differs = |(hint, known): (Hint, Rate)| hint.limit != known && hint.limit.per() == known.per();
            if hint.zip(known).is_some_and(differs) {
                self.ledger.part(charge.instance);
            }
            self.ledger.accepted(now, charge, sent_at, hint);
        }
        self.pump_charged(now, charges);
    }

    /// The upstream refused a request that was sent at `sent_at`.
    pub fn refused(&mut self, now: Instant, charges: &[Charge], sent_at: Instant, pushback: &Pushback) {
        let wait = wait_of(pushback);
        charges.iter().for_each(|&charge| self.ledger.uncommit(now, charge, sent_at));
        if pushback.cause != RefusalCause::Limit && pushback.cause != RefusalCause::TooLarge {
            charges.iter().for_each(|charge| self.witness(now, charge.instance, sent_at, pushback));
        }
        match pushback.cause {
            RefusalCause::Limit => self.limited(now, charges, sent_at, pushback),
            RefusalCause::Ramp => {
                charges.iter().for_each(|charge| self.ledger.ramp(now, charge.instance, wait));
            }
            RefusalCause::Overload => {
                charges.iter().for_each(|charge| self.ledger.back_off(now, charge.instance, sent_at, wait));
            }
            RefusalCause::TooLarge => {
                charges.iter().for_each(|charge| self.count_refusal(charge.instance, RefusalCause::TooLarge));
            }
            RefusalCause::Billing => {}
        }
        self.pump_charged(now, charges);
    }

    /// The upstream took a request of this route that was sent at `sent_at`; `gone` where it knows nothing at that path.
    pub fn answered(&mut self, now: Instant, charges: &[Charge], sent_at: Instant, route: RouteId, gone: bool) {
        for &Charge { instance, cost } in charges {
            let used = self.ledger.used_at(now, instance, sent_at) + u64::from(cost);
            self.evidence.accepted(now, instance, used, route, gone);
        }
    }

    /// Remembers a refusal.
    fn witness(&mut self, now: Instant, instance: InstanceId, sent_at: Instant, pushback: &Pushback) {
        self.count_refusal(instance, pushback.cause);
        let level = self.ledger.level(now, instance);
        self.evidence.refused(now, instance, sent_at, level, pushback);
    }

    fn count_refusal(&mut self, instance: InstanceId, cause: RefusalCause) {
        let pool = self.ledger.pool_of(instance);
        *self.refusals.entry((pool, cause)).or_default() += 1;
    }

    /// The answer to a request that was sent at `sent_at` has ended, and said what it has cost in tokens.
    pub fn settle(&mut self, now: Instant, charges: &[Charge], sent_at: Instant, tokens: u64) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        for &charge in charges {
            if self.limits_of(charge.instance).unit == Unit::Tokens {
                self.ledger.correct(now, charge, sent_at, tokens);
            }
        }
        self.pump_charged(now, charges);
    }

    /// A limit is reached: of the pool that the refusal names or, where it names none, of the one that it fits best.
    fn limited(&mut self, now: Instant, charges: &[Charge], sent_at: Instant, pushback: &Pushback) {
        let (figures, wait) = (pushback.figures, wait_of(pushback));
        let unit = figures.map_or(Unit::Requests, |figures| figures.unit);
        let family = self.join(now, charges, unit, pushback);
        let Some(instance) = self.culprit(now, charges, sent_at, unit) else {
            // Nothing here counts what it is about, and yet it must not be sent again at once.
            for charge in charges {
                self.witness(now, charge.instance, sent_at, pushback);
                self.ledger.back_off(now, charge.instance, sent_at, wait);
            }
            return;
        };
        self.witness(now, instance, sent_at, pushback);
        let hint = figures.and_then(hint_by);
        for instance in [Some(instance), family].into_iter().flatten() {
            if figures.is_some_and(|figures| figures.per > LONGEST) {
                self.ledger.stay_away(now, instance, wait.unwrap_or(LONGEST));
            } else {
                self.ledger.refused(now, instance, sent_at, wait, hint);
            }
        }
        let charge = charges.iter().find(|charge| charge.instance == instance).filter(|_| unit == Unit::Tokens);
        if let (Some(requested), Some(charge)) = (figures.and_then(|figures| figures.requested), charge) {
            self.ledger.measure(*charge, requested);
        }
    }

    /// Joins the charged instances to the family that the refusal names, if it names one. Returns the family's instance of
    /// this unit.
    fn join(&mut self, now: Instant, charges: &[Charge], unit: Unit, pushback: &Pushback) -> Option<InstanceId> {
        // As the models in keys are written.
        let family = pushback.family.as_ref()?.to_lowercase().replace(char::is_whitespace, "_");
        let mut of_unit = None;
        for charge in charges {
            let joined = self.ledger.join(now, charge.instance, &family);
            if self.limits_of(charge.instance).unit == unit {
                of_unit = joined;
            }
        }
        of_unit
    }

    /// The pool whose limit it was, as far as the counts say. If that is another one than before, that one is acquitted.
    fn culprit(&mut self, now: Instant, charges: &[Charge], sent_at: Instant, unit: Unit) -> Option<InstanceId> {
        let of_unit = charges.iter().filter(|charge| self.limits_of(charge.instance).unit == unit);
        let suspects: SmallVec<[InstanceId; 2]> = of_unit.map(|charge| charge.instance).collect();
        self.ledger.blame(now, &suspects, sent_at)
    }

    /// What an answer tells of this instance.
    fn hint(&self, instance: InstanceId, allowances: &[Allowance]) -> Option<Hint> {
        let limits = self.limits_of(instance);
        limits.model_part?;
        let of_unit = allowances.iter().filter(|reported| reported.unit == limits.unit && reported.per <= LONGEST);
        let Allowance { limit, per, remaining, .. } = *of_unit.min_by_key(|reported| reported.per)?;
        Some(Hint { limit: rate(limit, per)?, left: remaining })
    }

    fn limits_of(&self, instance: InstanceId) -> &crate::limit::Limits {
        self.ledger.limits(self.ledger.pool_of(instance))
    }
}

/// How long to stay away; a hint that nothing explains is not believed for long.
fn wait_of(pushback: &Pushback) -> Option<Duration> {
    let is_long = pushback.figures.is_some_and(|figures| figures.per > LONGEST);
    pushback.retry_after.map(|hint| hint.min(if is_long { LONGEST } else { BELIEVED }))
}

/// What a refusal tells of a limit.
fn hint_by(figures: LimitFigures) -> Option<Hint> {
    let limit = figures.limit?;
    let left = figures.used.map(|used| limit.saturating_sub(used));
    Some(Hint { limit: rate(limit, figures.per)?, left })
}

fn rate(amount: u64, per: Duration) -> Option<Rate> {
    Rate::new(u32::try_from(amount).ok().and_then(std::num::NonZeroU32::new)?, per)
}
