//! What is foretold beside what comes, in mixed traffic: four routes, three pools, priorities, five clients, of whom some
//! leave.
//!
//! A forecast knows who waits, and not who will come. So it is held against two things: against what comes if nobody comes
//! and nobody leaves any more, which is what it promises, and, printed only, against what comes in the end.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of a test's small numbers"
)]

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::time::Duration;

use fastrand::Rng;

use super::gate::{Gate, capped_pool, on};
use crate::limit::{Limits, Shape};
use crate::queue::{ClientId, Ticket};
use crate::route::{Ask, Priority};
use crate::scheduler::{AdmissionRequest, Arrival, PoolRules};

/// When somebody came, and when his turn was to come.
#[derive(Clone, Copy)]
struct Told {
    came: Duration,
    turn: Duration,
}

/// The traffic, and what was foretold to whom.
struct Traffic {
    gate: Gate<usize>,
    random: Rng,
    routes: fn(u32) -> (Vec<Ask>, Priority),
    told: BTreeMap<usize, Told>,
    /// Of some: how wrong it was if nobody came and nobody left any more.
    by_itself: Vec<f64>,
    leaving: BTreeMap<Duration, (usize, Ticket)>,
    came: usize,
    /// Of some whose patience is short: whether they were refused, and how long they would have waited.
    short: Vec<(bool, Duration)>,
}

const SHORT: Duration = Duration::from_secs(45);

/// How wrong a forecast was, as a part of what it may be: 2 % of the wait, and at least 50 ms.
fn error(told: Told, went: Duration) -> f64 {
    let allowed = (went.saturating_sub(told.came) / 50).max(Duration::from_millis(50));
    told.turn.abs_diff(went).as_secs_f64() / allowed.as_secs_f64()
}

fn at(part: f64, errors: &mut [f64]) -> f64 {
    errors.sort_by(f64::total_cmp);
    errors[((errors.len() - 1) as f64 * part) as usize]
}

impl Traffic {
    fn new(seed: u64, shape: Shape, routes: fn(u32) -> (Vec<Ask>, Priority)) -> Self {
        let shaped = |rate| {
            let (limits, rules) = capped_pool(rate);
            (Limits { shape, ..limits }, PoolRules { max_wait: Duration::from_mins(10), ..rules })
        };
        let gate = Gate::weighted(["1000/min", "300/min", "200/min"].map(shaped), HashMap::new());
        let random = Rng::with_seed(seed);
        Self {
            gate,
            random,
            routes,
            told: BTreeMap::new(),
            by_itself: Vec::new(),
            leaving: BTreeMap::new(),
            came: 0,
            short: Vec::new(),
        }
    }

    /// So many a minute come at random, for some minutes, and then nobody.
    fn play(mut self, minutes: &[u32]) -> Self {
        let mut came = Duration::ZERO;
        for (end, &count) in (1..).map(|minute| Duration::from_secs(60 * minute)).zip(minutes) {
            while came < end {
                came += Duration::from_secs_f64(-self.random.f64().ln() * 60.0 / f64::from(count));
                self.wait_until(came);
                self.comes(came);
            }
        }
        self.wait_until(came + Duration::from_mins(10));
        self
    }

    fn comes(&mut self, came: Duration) {
        let (asks, priority) = (self.routes)(self.random.u32(0..100));
        let client = ClientId(self.random.u64(0..5));
        let applicant = AdmissionRequest { client, priority, ..AdmissionRequest::default() };
        self.came += 1;
        let who = self.came;
        let sampled = self.random.u32(0..15) == 0;
        let asked = sampled.then(|| self.gate.clone());
        let Arrival::Queued { ticket, turn } = self.gate.comes_as(applicant, who, &asks) else { return };
        let told = Told { came, turn: turn - self.gate.began };
        self.told.insert(who, told);
        if let Some(mut asked) = asked {
            let mut frozen = self.gate.clone();
            frozen.wait(Duration::from_mins(10));
            if let Some((_, went)) = frozen.went_at().find(|&(gone, _)| gone == who) {
                let short = asked.comes_as(AdmissionRequest { patience: Some(SHORT), ..applicant }, who, &asks);
                self.short.push((matches!(short, Arrival::Refused(_)), went.abs_diff(came)));
                self.by_itself.push(error(told, went));
            }
        }
        if self.random.u32(0..100) < 3 {
            let patience = Duration::from_millis(self.random.u64(100..60_000));
            self.leaving.insert(came + patience, (who, ticket));
        }
    }

    /// Goes on to a time, and lets those leave who will have left by then.
    fn wait_until(&mut self, until: Duration) {
        while let Some((&at, &(who, ticket))) = self.leaving.first_key_value()
            && at <= until
        {
            self.leaving.pop_first();
            self.gate.wait((self.gate.began + at).saturating_duration_since(self.gate.now));
            if self.gate.scheduler.cancel(self.gate.now, ticket) {
                self.told.remove(&who);
            }
            self.gate.hear();
        }
        self.gate.wait((self.gate.began + until).saturating_duration_since(self.gate.now));
    }

    /// The 95th percentile of the errors: by itself, and in the end.
    fn errors(mut self) -> (f64, f64) {
        let told = |who| self.told.get(&who);
        let mut in_the_end: Vec<_> =
            self.gate.went_at().filter_map(|(who, went)| Some(error(*told(who)?, went))).collect();
        assert!(in_the_end.len() > 500, "hardly anybody waits");
        (at(0.95, &mut self.by_itself), at(0.95, &mut in_the_end))
    }
}

const GETS: usize = 0;
const POSTS: usize = 1;
const RUNS: usize = 2;

fn mixed(kind: u32) -> (Vec<Ask>, Priority) {
    match kind {
        0..50 => (on([GETS]).into(), Priority::Low),
        50..70 => (on([POSTS]).into(), Priority::Normal),
        70..97 => (on([RUNS, POSTS]).into(), Priority::Normal),
        _ => (on([POSTS]).into(), Priority::High),
    }
}

fn on_one_pool_each(kind: u32) -> (Vec<Ask>, Priority) {
    match kind {
        0..60 => (on([GETS]).into(), Priority::Normal),
        60..75 => (on([RUNS]).into(), Priority::Normal),
        75..97 => (on([POSTS]).into(), Priority::Normal),
        _ => (on([POSTS]).into(), Priority::High),
    }
}

/// The worst 95th percentile of two runs.
fn worst(shape: Shape, routes: fn(u32) -> (Vec<Ask>, Priority), minutes: &[u32]) -> f64 {
    let play = |seed| Traffic::new(seed, shape, routes).play(minutes).errors();
    let (by_itself, in_the_end): (Vec<_>, Vec<_>) = (0..2).map(play).unzip();
    eprintln!("{shape:?}: p95 by itself {by_itself:.1?}, in the end {in_the_end:.1?} times what is allowed");
    by_itself.into_iter().fold(0.0, f64::max)
}

const SMOOTH: Shape = Shape::Smooth { burst: NonZeroU32::new(30).expect("a burst") };

#[test]
fn a_turn_comes_when_it_was_foretold() {
    for shape in [Shape::Window, SMOOTH] {
        assert!(worst(shape, on_one_pool_each, &[2_500, 1_500, 700]) <= 1.0);
    }
}

#[test]
fn so_it_does_where_pools_hold_each_other_up() {
    for shape in [Shape::Window, SMOOTH] {
        assert!(worst(shape, mixed, &[1_500, 900, 700, 1_500]) <= 1.0);
    }
}

#[test]
fn who_is_refused_would_have_been_late_and_who_is_not_is_in_time() {
    for shape in [Shape::Window, SMOOTH] {
        let short = Traffic::new(7, shape, mixed).play(&[1_500, 900, 700, 1_500]).short;
        let tolerated = SHORT / 50 + Duration::from_millis(50);
        let in_time = short.iter().filter(|&&(refused, wait)| refused && wait + tolerated < SHORT).count();
        let late = short.iter().filter(|&&(refused, wait)| !refused && wait > SHORT + tolerated).count();
        let refused = short.iter().filter(|&&(refused, _)| refused).count();
        eprintln!(
            "{shape:?}: of {} with {SHORT:?} refused {refused}, wrongly {in_time}; let in wrongly {late}",
            short.len()
        );
        assert!(refused > 5 && short.len() - refused > 5);
        assert_eq!((in_time, late), (0, 0), "by more than 2 % and 50 ms");
    }
}
