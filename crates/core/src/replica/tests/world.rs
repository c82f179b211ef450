//! Whole gates that share one account, on a virtual clock: calls are late, lost and repeated, the store's clock steps, the store
//! loses its memory, and gates die. The upstream knows the true time of each request.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::limit::{Called, Limits, PoolId, Source, TurnTime};
use crate::queue::Charges;
use crate::replica::{Heard, Member, MemberSettings, MeterCall, OnOutage, PARTS, ShareState, StoreModel, TurnCall};
use crate::route::Ask;
use crate::scheduler::{AdmissionRequest, Arrival, Decision, PoolRules, Rules, Scheduler};

const LIMIT: usize = 60;
const SPAN: Duration = Duration::from_secs(2);
const MARGIN: Duration = Duration::from_millis(350);
const TICK: Duration = Duration::from_millis(5);
const TIMEOUT: Duration = Duration::from_millis(250);

struct WorldGate {
    scheduler: Scheduler<()>,
    member: Member,
    called: Called,
    due: Instant,
    /// Since when an answer is waited for, and the number of that try.
    tries: Option<(Instant, u64)>,
    /// Granted, and sent at the instant.
    to_send: VecDeque<(Instant, Charges)>,
    source: ShareState,
    cut_until: Instant,
}

/// On its way: to the store, or back to a gate.
enum Packet {
    Call { gate: usize, attempt: u64, call: TurnCall, answered: bool },
    Answer { gate: usize, attempt: u64, text: String },
}

struct World {
    now: Instant,
    start: Instant,
    random: fastrand::Rng,
    store: StoreModel,
    step: i64,
    gates: Vec<WorldGate>,
    packets: Vec<(Instant, Packet)>,
    attempts: u64,
    sent: VecDeque<Instant>,
    total: usize,
    on_outage: OnOutage,
    /// Nothing goes wrong but what a second may not follow.
    calm_until: Instant,
    is_rough: bool,
    /// What went wrong, and when.
    story: Vec<String>,
}

impl World {
    fn new(seed: u64, gates: usize, on_outage: OnOutage, is_rough: bool) -> Self {
        let start = crate::tests::any_instant() + Duration::from_hours(100);
        let mut world = Self {
            now: start,
            start,
            random: fastrand::Rng::with_seed(seed),
            store: StoreModel::default(),
            step: 0,
            gates: Vec::new(),
            packets: Vec::new(),
            attempts: 0,
            sent: VecDeque::new(),
            total: 0,
            on_outage,
            calm_until: start + Duration::from_secs(8),
            is_rough,
            story: vec![format!("seed {seed}")],
        };
        for _ in 0..gates {
            let gate = world.gate();
            world.gates.push(gate);
        }
        world
    }

    fn gate(&mut self) -> WorldGate {
        let rate = format!("{LIMIT}/{}s", SPAN.as_secs());
        let limits = Limits { requests: vec![rate.parse().expect("a rate")], margin: MARGIN, ..Limits::default() };
        let rules = PoolRules {
            max_waiting: 1_000,
            max_bytes: 1 << 20,
            max_wait: Duration::from_mins(2),
            refuse_when_full: false,
        };
        let rules = Rules {
            pools: vec![(limits, rules)],
            max_waiting: 1_000,
            weights: HashMap::new(),
            ageing: Duration::from_secs(30),
        };
        let mut scheduler = Scheduler::new(rules);
        scheduler.lease();
        let (gate, nonce) = (format!("g{:x}", self.random.u64(..)), self.random.u64(1..1 << 50));
        let settings = MemberSettings { gate, nonce, on_outage: self.on_outage, share: PARTS / 4 };
        let member = Member::new(settings, self.now);
        let source = ShareState::Joining;
        WorldGate {
            scheduler,
            member,
            called: Called::default(),
            due: self.now,
            tries: None,
            to_send: VecDeque::new(),
            source,
            cut_until: self.now,
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            if self.is_rough {
                self.go_wrong();
            }
            self.deliver();
            for gate in 0..self.gates.len() {
                self.serve(gate);
            }
        }
    }

    /// One thing at a time, and rarely.
    fn go_wrong(&mut self) {
        if self.now < self.calm_until || self.random.u32(..600) > 0 {
            return;
        }
        let gate = self.random.usize(..self.gates.len());
        // What no gate lives to see goes unnoticed: a step of the clock, or that the store is emptied before a new gate comes.
        let is_cut = |gate: &&WorldGate| self.now < gate.cut_until || gate.source != ShareState::Leasing;
        let cut = self.gates.iter().filter(is_cut).count();
        let first = if cut == self.gates.len() { 2 } else { u32::from(cut > 0) };
        let what = self.random.u32(first..5);
        let name = ["step", "emptied", "died", "cut", "all cut"][what as usize];
        self.story.push(format!("{name}, gate {gate} at {:?}", self.now - self.start));
        let calm = match what {
            0 => {
                self.step += self.random.i64(-3_600_000_000..3_600_000_000);
                500
            }
            1 => {
                self.store = StoreModel::default();
                4_000
            }
            2 => {
                let new = self.gate();
                self.gates[gate] = new;
                4_000
            }
            3 => {
                let millis = self.random.u64(100..40_000);
                self.gates[gate].cut_until = self.now + Duration::from_millis(millis);
                1_000
            }
            _ => {
                let until = self.now + Duration::from_millis(self.random.u64(100..20_000));
                self.gates.iter_mut().for_each(|gate| gate.cut_until = until);
                1_000
            }
        };
        self.calm_until = self.now + Duration::from_millis(calm);
    }

    fn deliver(&mut self) {
        let (now, packets) = (self.now, std::mem::take(&mut self.packets));
        let (due, later): (Vec<_>, Vec<_>) = packets.into_iter().partition(|(at, _)| *at <= now);
        self.packets = later;
        for (_, packet) in due {
            match packet {
                Packet::Call { gate, attempt, call, answered } => {
                    let raw = i64::try_from((now - self.start).as_micros()).expect("it fits")
                        + self.step
                        + 10_000_000_000_000;
                    let text = self.store.turn(raw, &call);
                    if answered {
                        let at = now + self.way();
                        self.packets.push((at, Packet::Answer { gate, attempt, text }));
                    }
                }
                Packet::Answer { gate, attempt, text } => self.hear(gate, attempt, &text),
            }
        }
    }

    fn way(&mut self) -> Duration {
        let is_slow = self.is_rough && self.random.u32(..100) == 0;
        Duration::from_millis(if is_slow { self.random.u64(..120) } else { self.random.u64(..10) })
    }

    fn hear(&mut self, at: usize, attempt: u64, text: &str) {
        let (now, gate) = (self.now, &mut self.gates[at]);
        if gate.tries.is_none_or(|(_, open)| open != attempt) {
            return;
        }
        gate.tries = None;
        match gate.member.answered(now, text).expect("an answer") {
            Heard::Leases { until, leases } => {
                let is_hungry = leases.iter().any(|lease| !lease.leaving.is_empty());
                gate.scheduler.leased(now, until, &gate.called, leases);
                gate.due = now + Duration::from_millis(if is_hungry { 50 } else { 250 });
            }
            Heard::Again => gate.due = now,
            Heard::Later => gate.due = now + Duration::from_millis(50),
        }
    }

    fn serve(&mut self, at: usize) {
        self.arrive(at);
        let now = self.now;
        let gate = &mut self.gates[at];
        let state = gate.member.state(now, SPAN + MARGIN);
        if state != gate.source {
            let source = match state {
                ShareState::OnShare => Source::Share(gate.member.promise()),
                ShareState::Open => Source::Whole,
                _ => Source::Leased,
            };
            gate.source = state;
            gate.scheduler.set_source(now, |_| source);
        }
        gate.scheduler.handle_timeout(now);
        for decision in gate.scheduler.take_decisions() {
            if let Decision::Grant { charges, .. } = decision {
                gate.to_send.push_back((now + Duration::from_millis(self.random.u64(..40)), charges));
            }
        }
        let due: Vec<_> = gate.to_send.iter().filter(|(at, _)| *at <= now).cloned().collect();
        gate.to_send.retain(|(at, _)| *at > now);
        for (_, charges) in &due {
            gate.scheduler.commit(now, charges);
            gate.scheduler.release(now, charges);
        }
        due.iter().for_each(|_| self.judge());
        self.call(at);
    }

    fn arrive(&mut self, at: usize) {
        let (now, gate) = (self.now, &mut self.gates[at]);
        if gate.scheduler.waiting() < 40 && self.random.u32(..4) == 0 {
            let asks = [Ask { pool: PoolId(0), key: None, cost: Some(1) }];
            if let Arrival::Granted { charges, .. } =
                gate.scheduler.arrive(now, &asks, AdmissionRequest::default(), || ())
            {
                gate.to_send.push_back((now, charges));
            }
        }
    }

    fn call(&mut self, at: usize) {
        let (now, gate) = (self.now, &mut self.gates[at]);
        let is_open = gate.tries.is_some_and(|(since, _)| now < since + TIMEOUT);
        if is_open || (gate.tries.is_none() && now < gate.due) {
            return;
        }
        let WorldGate { scheduler, member, called, .. } = gate;
        let gates = member.gates();
        let call = member.call(now, false, |answered, declared| {
            let (refs, mut calls) = scheduler.turn_call(TurnTime { now, answered, gates }, declared);
            *called = refs;
            calls.iter_mut().for_each(|call: &mut MeterCall| call.id = "m".into());
            calls
        });
        self.attempts += 1;
        gate.tries = Some((now, self.attempts));
        let (attempt, is_cut) = (self.attempts, now < gate.cut_until);
        let (is_lost, answered) =
            (self.is_rough && self.random.u32(..50) == 0, !(is_cut || self.is_rough && self.random.u32(..50) == 0));
        if is_cut && self.random.bool() || is_lost {
            return;
        }
        let arrives = now + self.way();
        if self.is_rough && self.random.u32(..50) == 0 {
            let again = now + Duration::from_millis(self.random.u64(..2_000));
            self.packets.push((again, Packet::Call { gate: at, attempt, call: call.clone(), answered: false }));
        }
        self.packets.push((arrives, Packet::Call { gate: at, attempt, call, answered }));
    }

    /// No more than the limit in any trailing window.
    fn judge(&mut self) {
        while self.sent.front().is_some_and(|&at| at + SPAN <= self.now) {
            self.sent.pop_front();
        }
        self.sent.push_back(self.now);
        self.total += 1;
        let (at, counts) = (self.now - self.start, self.store.counts("m"));
        assert!(self.sent.len() <= LIMIT, "{} in a window at {at:?}: {counts:?}, {:?}", self.sent.len(), self.story);
    }
}

#[test]
fn gates_together_never_exceed_the_limit() {
    let worlds = std::env::var("WORLDS").map_or(40, |count| count.parse().expect("a number"));
    for seed in 0..worlds {
        let policy = if seed % 2 == 0 { OnOutage::Share } else { OnOutage::Closed };
        let mut world = World::new(seed, 3, policy, true);
        world.run(Duration::from_secs(90));
        assert!(world.total > 200, "seed {seed}: {}", world.total);
    }
}

#[test]
fn gates_together_use_the_limit() {
    for (gates, percent) in [(1, 90), (3, 90), (10, 85)] {
        let mut world = World::new(1, gates, OnOutage::Closed, false);
        world.run(Duration::from_secs(10));
        let before = world.total;
        world.run(Duration::from_secs(40));
        let used = world.total - before;
        // A window of two seconds and the margin: what 50 ms cost is a thirtieth of what they cost in a minute.
        assert!(used * 100 >= LIMIT * 16 * percent, "{gates} gates: {used} of {}", LIMIT * 16);
    }
}

#[test]
#[should_panic(expected = "in a window")]
fn open_gates_exceed_the_limit() {
    let mut world = World::new(3, 3, OnOutage::Open, true);
    world.run(Duration::from_mins(5));
}
