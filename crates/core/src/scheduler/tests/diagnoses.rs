use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::hints::{LimitFigures, RefusalCause};
use crate::limit::tests::{capped, start};
use crate::limit::{EstimateView, FillLevel, LearnedUsage, PoolUsage, Rate, Unit};
use crate::route::RouteId;
use crate::scheduler::diagnosis::{InstanceFacts, diagnose};
use crate::scheduler::{Cause, Confidence, Diagnosis, Evidence, ReachedLimit, RefusalBurst, Requester};

const MINUTE: Duration = Duration::from_mins(1);

/// When it is looked at, in minutes.
const NOW: u32 = 30;

/// A pool of 300 a minute, of which something was seen.
struct Seen {
    began: Instant,
    usage: PoolUsage,
    evidence: Evidence,
}

impl Seen {
    /// So many are taken, and nothing is the matter.
    fn calm(taken: u64) -> Self {
        let usage = PoolUsage { windows: vec![(rate(300), taken)], ..PoolUsage::default() };
        let asker = (Requester::default(), taken);
        let evidence = Evidence {
            requested: taken,
            accepted: taken,
            accepted_since: taken,
            requesters: vec![asker],
            ..Evidence::default()
        };
        Self { began: start(), usage, evidence }
    }

    /// The upstream refused with so much used, a minute apart, the last time a minute ago.
    fn refused(mut self, cause: RefusalCause, used: &[u64]) -> Self {
        let first = NOW - u32::try_from(used.len()).expect("a few");
        let limit = self.usage.windows.first().map(|&(limit, _)| limit);
        let episode = |(&used, minute)| RefusalBurst {
            began: self.after(minute),
            refusals: 2,
            cause,
            level: FillLevel { used, limit, since: MINUTE },
            figures: None,
        };
        self.evidence.bursts = used.iter().zip(first..).map(episode).collect();
        self
    }

    fn learned(mut self, lesson: Option<EstimateView>) -> Self {
        let since = Some(self.after(25));
        let (not_until, refused_at, used_then, refusals, recalled) = (None, None, 0, 2, false);
        self.usage.learned =
            Some(LearnedUsage { estimate: lesson, since, recalled, not_until, refused_at, used_then, refusals });
        self
    }

    /// With what its refusals say.
    fn saying(mut self, figures: LimitFigures) -> Self {
        self.evidence.bursts.iter_mut().for_each(|episode| episode.figures = Some(figures));
        self
    }

    fn taken_since(mut self, taken: u64, peak: u64) -> Self {
        (self.evidence.accepted_since, self.evidence.peak) = (taken, peak);
        self
    }

    fn waited(mut self, times: u64) -> Self {
        (self.evidence.waited, self.evidence.short) = (times, times);
        self
    }

    fn diagnosis(&self) -> Diagnosis {
        let Self { usage, evidence, .. } = self;
        diagnose(InstanceFacts { now: self.after(NOW), usage, most_in_flight: NonZeroU32::new(50), evidence })
    }

    /// So many minutes after the beginning.
    fn after(&self, minutes: u32) -> Instant {
        self.began + MINUTE * minutes
    }

    fn case(&self) -> Cause {
        self.diagnosis().cause
    }
}

fn rate(amount: u32) -> Rate {
    capped(&[&format!("{amount}/min")]).requests[0]
}

fn lower(limit: u32) -> EstimateView {
    EstimateView::Lower { limit: rate(limit) }
}

fn is_unclear(seen: &Seen) -> bool {
    matches!(seen.diagnosis(), Diagnosis { cause: Cause::NotEnoughEvidence { .. }, confidence: Confidence::None })
}

#[test]
fn what_is_taken_and_never_refused_is_within_limits_and_what_is_not_taken_is_not_known() {
    assert_eq!(Seen::calm(100).case(), Cause::WithinLimits);
    assert_eq!(Seen::calm(0).case(), Cause::NotEnoughEvidence { refused: None });
}

#[test]
fn who_waits_for_what_is_configured_is_at_his_own_limit() {
    let bound = ReachedLimit::Window { limit: rate(300), used: 290, reported: false };
    assert_eq!(Seen::calm(290).waited(20).case(), Cause::OwnLimit { limit: bound });
    let mut in_flight = Seen::calm(20).waited(20);
    in_flight.usage.in_flight = 50;
    assert_eq!(in_flight.case(), Cause::OwnLimit { limit: ReachedLimit::InFlight(50) });
}

#[test]
fn one_refusal_proves_nothing_and_several_at_one_count_a_lower_limit() {
    assert!(is_unclear(&Seen::calm(180).refused(RefusalCause::Limit, &[180]).learned(Some(lower(180)))));
    let twice = Seen::calm(180).refused(RefusalCause::Limit, &[180, 183]).learned(Some(lower(181)));
    let Diagnosis { cause: Cause::LowerLimit { limit, configured, .. }, confidence } = twice.diagnosis() else {
        panic!("{:?}", twice.diagnosis())
    };
    assert_eq!((limit, configured, confidence), (rate(180), Some(rate(300)), Confidence::Fair));
    let often = Seen::calm(180).refused(RefusalCause::Limit, &[250, 180, 183, 181, 182]).learned(Some(lower(181)));
    assert_eq!(often.diagnosis().confidence, Confidence::High);
}

#[test]
fn what_was_learned_before_the_gate_started_is_said_while_it_is_in_force() {
    let mut seen = Seen::calm(90).learned(Some(lower(180)));
    assert_eq!(seen.case(), Cause::WithinLimits, "nothing was refused");
    seen.usage.learned.as_mut().expect("learned").recalled = true;
    let Diagnosis { cause: Cause::LowerLimit { limit, .. }, confidence } = seen.diagnosis() else {
        panic!("it is lower")
    };
    assert_eq!((limit, confidence), (rate(180), Confidence::Fair));
}

#[test]
fn a_limit_that_has_been_exceeded_since_is_not_lower() {
    let refused = Seen::calm(180).refused(RefusalCause::Limit, &[180, 183]).learned(Some(lower(280)));
    assert!(is_unclear(&refused.taken_since(500, 270)));
}

#[test]
fn a_limit_that_is_given_back_is_forgotten_for_the_diagnosis() {
    let back = Seen::calm(180).refused(RefusalCause::Limit, &[180, 183, 181, 181, 180, 182, 182, 180, 181]);
    let mut back = Seen { evidence: Evidence { peak: 290, ..back.evidence }, ..back }.learned(None);
    let now = Some(back.after(NOW));
    back.usage.learned.as_mut().expect("learned").since = now;
    assert_eq!(back.case(), Cause::WithinLimits);
}

#[test]
fn counts_that_vary_are_of_somebody_else() {
    let varies = Seen::calm(180).refused(RefusalCause::Limit, &[290, 180, 240, 160]).learned(Some(lower(160)));
    assert_eq!(varies.case(), Cause::Shared { used: (160, 240), limit: Some(300) });
}

#[test]
fn the_figures_of_refusals_tell_of_somebody_else() {
    let figures =
        LimitFigures { unit: Unit::Requests, per: MINUTE, limit: Some(500), used: Some(490), requested: Some(1) };
    let told = |times: &[u64]| Seen::calm(90).refused(RefusalCause::Limit, times).learned(None).saying(figures);
    assert_eq!(told(&[90, 80]).case(), Cause::Shared { used: (80, 90), limit: Some(500) });
    assert!(is_unclear(&told(&[90])), "it may be from before the gate ran");
}

#[test]
fn who_is_refused_while_nearly_idle_is_throttled() {
    let Cause::Throttled { cause: RefusalCause::Limit, refusals: 6, most: 30, .. } =
        Seen::calm(30).refused(RefusalCause::Limit, &[2, 30, 8]).learned(None).case()
    else {
        panic!("it is throttled")
    };
    let steady = Seen::calm(90).refused(RefusalCause::Limit, &[75, 80, 77]).learned(Some(lower(75)));
    assert!(matches!(steady.case(), Cause::LowerLimit { .. }), "{:?}", steady.case());
}

#[test]
fn an_upstream_that_says_so_twice_is_overloaded_and_once_is_not() {
    let says = |cause, used: &[u64]| Seen::calm(90).refused(cause, used).case();
    assert!(matches!(says(RefusalCause::Overload, &[90, 20]), Cause::Throttled { cause: RefusalCause::Overload, .. }));
    assert!(matches!(says(RefusalCause::Overload, &[90]), Cause::NotEnoughEvidence { refused: Some(_) }));
    assert!(matches!(says(RefusalCause::Ramp, &[90]), Cause::Throttled { cause: RefusalCause::Ramp, refusals: 2, .. }));
}

#[test]
fn bursts_are_refused_where_as_much_is_taken_evenly() {
    let smooth = Some(EstimateView::Smooth { limit: rate(300), burst: 27 });
    let refused = || Seen::calm(300).refused(RefusalCause::Limit, &[30]).learned(smooth);
    assert!(matches!(refused().taken_since(600, 290).case(), Cause::Bursts { burst: 27, .. }));
    assert!(is_unclear(&refused().taken_since(5, 5)));
}

#[test]
fn billing_is_said_at_once_and_is_over_when_something_is_taken() {
    let billing = Seen::calm(30).refused(RefusalCause::Billing, &[3]);
    assert!(matches!(billing.taken_since(0, 0).case(), Cause::Billing { refusals: 2, .. }));
    assert_eq!(Seen::calm(30).refused(RefusalCause::Billing, &[3]).case(), Cause::WithinLimits);
}

#[test]
fn what_is_gone_is_gone_whatever_else_is_seen() {
    let mut gone = Seen::calm(290).waited(20);
    gone.evidence.missing = Some((RouteId(3), 7));
    assert_eq!(gone.case(), Cause::Gone { route: RouteId(3), answers: 7 });
}

#[test]
fn a_limit_that_the_upstream_tells_is_lower_or_is_one_s_own() {
    let told = |limit| Some(EstimateView::Reported { limit: rate(limit), left: 10 });
    let lower = Seen::calm(90).learned(told(100));
    let expected = Cause::LowerLimit {
        limit: rate(100),
        configured: Some(rate(300)),
        reported: true,
        since: Some(lower.after(25)),
    };
    assert_eq!(lower.diagnosis(), Diagnosis { cause: expected, confidence: Confidence::High });
    let unwritten = |seen: Seen| Seen { usage: PoolUsage { windows: Vec::new(), ..seen.usage }, ..seen };
    let bound = ReachedLimit::Window { limit: rate(100), used: 90, reported: true };
    assert_eq!(unwritten(Seen::calm(90).learned(told(100)).waited(3)).case(), Cause::OwnLimit { limit: bound });
    assert_eq!(unwritten(Seen::calm(90).learned(told(100))).case(), Cause::WithinLimits);
}
