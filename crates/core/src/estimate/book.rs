//! A record with what is believed of it, and what is done about that.

use super::challenge::Challenge;
use super::control::{Concurrency, Control, Gate, Limiter, Outage, Ramp, Rate, Spread};
use super::flight::Flight;
use super::hypothesis::{Hypothesis, Kind, View};
use super::lens::name_of;
use super::record::{Record, Scored};
use super::sample::Place;
use super::subject::Subject;
use super::traffic::nanos;
use super::verdict::Certainty;
use super::words::{RefusalSaid, SaidKind, Words};
use super::{BACKLOG, ConfiguredLimit, IN_FLIGHT, WINDOWS};

/// Another hypothesis takes over when the evidence for it is so many times as strong: "positive" on the scale of Kass and
/// Raftery (1995).
const TAKES_OVER: f64 = 2.0;

/// It begins with at least this part of the configured rate. A guess.
const RAMP_FROM_PART: u32 = 6;

/// In the first window, refusals at this part of the configured rate or less say that requests were sent before the
/// start. A guess.
const FAR_BELOW_PART: u64 = 3;

/// After so many acceptances within a window of a refusal, and twice as many, and so on, it is looked again what explains
/// both. A guess: it costs some microseconds.
const LOOKS: u32 = 8;

/// A record with what is believed of it.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) record: Record,
    pub(super) limiter: Option<Limiter>,
    pub(super) scored: Vec<Scored>,
    /// Refusals at different times.
    pub(super) episodes: u32,
    pub(super) episode_at: u64,
    /// Requests of more than one pool.
    pub(super) mixed: u64,
    pub(super) total: u64,
    /// The configured limit has kept some waiting.
    pub(super) is_short: bool,
    pub(super) challenge: Challenge,
    pub(super) ramp: Option<Ramp>,
    pub(super) spread: Spread,
    pub(super) words: Words,
    /// Accepted since it was last looked what explains the evidence.
    news: u32,
    /// The end of the first window, if something was refused in it that looks like a rate.
    cold_until: u64,
}

impl Book {
    pub(super) fn new(configured: ConfiguredLimit) -> Self {
        Self {
            record: Record::new(configured),
            limiter: None,
            scored: Vec::new(),
            episodes: 0,
            episode_at: 0,
            mixed: 0,
            total: 0,
            is_short: false,
            challenge: Challenge::default(),
            ramp: None,
            spread: Spread::default(),
            words: Words::default(),
            news: 0,
            cold_until: 0,
        }
    }

    pub(super) fn is_mixed(&self) -> bool {
        self.mixed * 2 > self.total
    }

    pub(super) fn best(&self) -> Option<f64> {
        self.scored.iter().map(|scored| scored.score).max_by(f64::total_cmp)
    }

    /// The refusal's words.
    pub(super) fn heard(&mut self, at: u64, flight: &Flight, place: &Place, said: &RefusalSaid) {
        let mut said = *said;
        // A wait that is named holds what is limited, and nothing else.
        let limiter = self.limiter.as_mut().filter(|limiter| limiter.hypothesis.view != View::Pool);
        if let (Some(limiter), Some(wait), SaidKind::Limit) = (limiter, said.retry_after, said.kind) {
            limiter.stay_away(&flight.subject, at.saturating_add(nanos(wait)));
            said.retry_after = None;
        }
        self.words.refused(at, flight.sent_at, &said, place.level(View::Pool, WINDOWS - 1));
    }

    pub(super) fn gate(&mut self, at: u64, subject: &Subject) -> Gate {
        self.warm_up(at);
        if self.words.not_before > at {
            return Gate::Until(self.words.not_before);
        }
        if let Some(opens) = self.ramp.as_ref().map(Ramp::opens).filter(|&opens| opens > at) {
            return Gate::Until(opens);
        }
        let Some(limiter) = self.limiter.as_mut().filter(|limiter| limiter.binds(subject)) else { return Gate::Open };
        let view = limiter.hypothesis.view.index();
        let name = name_of(view, subject).unwrap_or_default();
        let record = &mut self.record;
        match &mut limiter.control {
            Control::Outage(outage) => outage.check(at),
            Control::Concurrency(known) => {
                let tick = record.clock.tick(at);
                let in_flight = record.levels(&tick, view, subject).map_or(0, |levels| levels[IN_FLIGHT]);
                if known.allows(in_flight.into()) { Gate::Open } else { Gate::Freed }
            }
            Control::Rate(rate) => {
                let amount = rate.holds();
                let window = limiter.hypothesis.kind.window();
                rate.check(at, name, || {
                    let tick = record.clock.tick(at);
                    record.until_below(&tick, view, subject, window, amount.ceil() as u32)
                })
            }
        }
    }

    /// One was accepted; whether it is time to look again what explains the evidence.
    pub(super) fn accepted(&mut self, at: u64, flight: &Flight, place: &Place) -> bool {
        self.record.accepted(&flight.subject, place);
        self.words.accepted();
        // What was under way when something was refused is still news about it.
        let is_recent = self.record.has_evidence() && at < self.episode_at + nanos(self.record.configured.per);
        self.news += u32::from(is_recent);
        // At first, and then ever more rarely.
        let is_news = self.news >= LOOKS && self.news.is_power_of_two();
        let Some(limiter) = self.limiter.as_mut().filter(|limiter| limiter.binds(&flight.subject)) else {
            return is_news;
        };
        let varies = self.spread.varies();
        let is_gone = match &mut limiter.control {
            Control::Outage(outage) => {
                if outage.accepted() {
                    self.slow_start(at);
                }
                false
            }
            Control::Concurrency(known) => {
                known.accepted(flight.sent_at, place.level(limiter.hypothesis.view, IN_FLIGHT).into());
                false
            }
            Control::Rate(rate) => {
                let window = limiter.hypothesis.kind.window();
                rate.set_varies(varies && limiter.hypothesis.view == View::Pool && window == WINDOWS - 1);
                let name = name_of(limiter.hypothesis.view.index(), &flight.subject).unwrap_or_default();
                rate.accepted(at, flight.sent_at, name, place.level(limiter.hypothesis.view, window).into())
            }
        };
        if is_gone {
            self.limiter = None;
            self.slow_start(at);
            self.record.forget();
            self.scored.clear();
        }
        is_news && !is_gone
    }

    pub(super) fn refused(&mut self, at: u64, flight: &Flight, place: &Place) {
        let tick = self.record.clock.tick(at);
        self.record.refused(&tick, &flight.subject, place);
        if !flight.challenge {
            let used = place.level(View::Pool, WINDOWS - 1);
            self.spread.refused(at, used, nanos(self.record.configured.per));
        }
        if flight.sent_at >= self.episode_at {
            self.news = 0;
            self.episodes += 1;
            self.episode_at = at;
        }
    }

    /// Acts on the hypothesis that explains the evidence best, if it is this record's matter.
    pub(super) fn follow(&mut self, at: u64, acts: bool) {
        if !acts {
            if self.limiter.take().is_some() {
                self.slow_start(at);
            }
            return;
        }
        let Some(best) = self.scored.iter().max_by(|a, b| a.score.total_cmp(&b.score)).copied() else { return };
        if let Some(limiter) = &mut self.limiter {
            let is_it = |scored: &&Scored| scored.hypothesis == limiter.hypothesis && scored.route == limiter.route;
            let believed = self.scored.iter().find(is_it);
            match (believed, &mut limiter.control) {
                (Some(believed), Control::Rate(rate)) => rate.raise(believed.limit),
                (Some(believed), Control::Concurrency(known)) => known.raise(believed.limit),
                _ => {}
            }
            if believed.is_some_and(|believed| best.score <= believed.score + TAKES_OVER) {
                return;
            }
        }
        let mut control = self.cold_control(at, &best).unwrap_or_else(|| self.control(at, &best));
        if let Some(old) = self.limiter.take() {
            if let (Control::Rate(old_rate), Control::Rate(rate)) = (&old.control, &control)
                && (old.hypothesis.view, old.route) == (best.hypothesis.view, best.route)
                && rate.per() >= old_rate.per()
            {
                let amount = old_rate.holds() * rate.per() as f64 / old_rate.per() as f64;
                control = Control::Rate(rate.clone().at_most(amount));
            }
            self.slow_start(at);
        }
        self.limiter = Some(Limiter { hypothesis: best.hypothesis, route: best.route, control });
    }

    pub(super) fn slow_start(&mut self, at: u64) {
        let tick = self.record.clock.tick(at);
        let used = self.record.levels(&tick, 0, &Subject::default()).map_or(0, |levels| levels[WINDOWS - 1]);
        let ConfiguredLimit { amount, per } = self.record.configured;
        let least = amount.map_or(0, |amount| amount / RAMP_FROM_PART);
        self.ramp = Some(Ramp::new(at, u32::from(used).max(least), nanos(per)));
    }

    /// Until the instance has been watched for one whole window, a refusal teaches no amount: requests may have been sent
    /// before the start.
    /// It pauses, at most to that window's end, and then the configured rate goes evenly.
    fn cold_control(&mut self, at: u64, best: &Scored) -> Option<Control> {
        let ConfiguredLimit { amount, per } = self.record.configured;
        if best.hypothesis.kind == Kind::Incident && at < nanos(per) {
            self.cold_until = nanos(per);
        }
        let Kind::Rate(window) = best.hypothesis.kind else { return None };
        let is_watched = at >= nanos(per) || self.record.clock.windows[usize::from(window)] < per;
        // What was accepted at least is known.
        if is_watched || u64::from(best.limit) * FAR_BELOW_PART > u64::from(amount?) {
            return None;
        }
        self.cold_until = nanos(per);
        Some(Control::Rate(Rate::even(at, amount?, nanos(per)).resting(nanos(per))))
    }

    /// Whether all that was refused may be due to requests sent before the start.
    pub(super) fn is_cold(&self) -> bool {
        self.cold_until > 0
    }

    /// The first window is over: what was refused in it is forgotten if it has been taken for a rate.
    pub(super) fn warm_up(&mut self, at: u64) {
        if self.cold_until > 0 && at >= self.cold_until {
            self.cold_until = 0;
            let is_it = |kind| matches!(kind, Kind::Rate(_) | Kind::Incident);
            if self.limiter.as_ref().is_some_and(|limiter| is_it(limiter.hypothesis.kind)) {
                self.record.forget();
                self.scored.clear();
                self.limiter = None;
                self.slow_start(at);
            }
        }
    }

    fn control(&self, at: u64, best: &Scored) -> Control {
        let ConfiguredLimit { amount, per } = self.record.configured;
        match best.hypothesis.kind {
            Kind::Random => Control::Outage(Outage::of_some()),
            Kind::Incident => Control::Outage(Outage::default()),
            Kind::InFlight => Control::Concurrency(Concurrency::new(at, best.limit)),
            Kind::Bucket => Control::Rate(Rate::even(at, amount.unwrap_or(best.limit), nanos(per))),
            Kind::Rate(window) => {
                let window = self.record.clock.windows[usize::from(window)];
                let most = amount.filter(|_| best.hypothesis.view == View::Pool);
                let most = most.map(|amount| f64::from(amount) * window.as_secs_f64() / per.as_secs_f64());
                Control::Rate(Rate::new(at, best.limit, nanos(window), most))
            }
        }
    }

    /// What the refusal means for what is in force.
    pub(super) fn hold(&mut self, at: u64, flight: &Flight, place: &Place) {
        let Some(limiter) = self.limiter.as_mut().filter(|limiter| limiter.binds(&flight.subject)) else { return };
        let view = limiter.hypothesis.view;
        match &mut limiter.control {
            Control::Outage(outage) => outage.refused(at, flight.sent_at),
            Control::Concurrency(known) => {
                let may_be_ours = flight.challenge || self.challenge.under_way > 0;
                known.refused(at, flight.sent_at, place.level(view, IN_FLIGHT).into(), may_be_ours);
            }
            Control::Rate(rate) => {
                let used = place.level(view, limiter.hypothesis.kind.window());
                let name = name_of(view.index(), &flight.subject).unwrap_or_default();
                rate.refused(at, flight.sent_at, name, used.into(), flight.challenge);
            }
        }
    }

    /// Whether a rival would let a request go now.
    pub(super) fn would_allow(&mut self, at: u64, subject: &Subject, rival: &Scored) -> bool {
        let Hypothesis { view, kind } = rival.hypothesis;
        if view == View::Route && rival.route != Some(subject.route.0 as u64) {
            return true;
        }
        let indicator = match kind {
            Kind::Random | Kind::Incident => return true,
            Kind::InFlight => IN_FLIGHT,
            Kind::Bucket => BACKLOG,
            Kind::Rate(window) => usize::from(window),
        };
        let tick = self.record.clock.tick(at);
        let level = self.record.levels(&tick, view.index(), subject).map_or(0, |levels| levels[indicator]);
        u32::from(level) < rival.limit
    }

    /// How sure it is that nothing is wrong.
    pub(super) fn calm(&self) -> Certainty {
        if self.record.refusals > 0 { Certainty::Fair } else { Certainty::High }
    }
}
