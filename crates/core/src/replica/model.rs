//! The store, in Rust: what `turn.lua` does, step by step and with the same numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{EntryKind, MeterCall, Micros, PARTS, TurnCall};

/// How long a new epoch waits for gates to declare themselves. All that live call at least once a second.
const SETTLE: Micros = 1_500_000;

/// A gate whose last confirmed answer is older may not hear the store. Idle gates call once a second.
const SILENT: Micros = 3_000_000;

/// So much the store's clock may run ahead of a gate's within a minute. A guess: what the ways of two calls differ by.
const STEP: Micros = 50_000;

/// A gate whose last answer is older does not vouch for the time: it was suspended, say.
const VOUCH: Micros = 5_000_000;

/// So many entries leave a log in one turn; what is not yet gone counts a little longer.
const MOST: usize = 500;

/// A gate that has not called for so long is not taken to wait for places.
const HUNGRY: Micros = 1_000_000;

/// All that a store knows.
#[derive(Clone, Debug, Default)]
pub struct StoreModel {
    meta: Option<Meta>,
    gates: BTreeMap<String, GateRecord>,
    answers: BTreeMap<String, String>,
    pending: BTreeSet<String>,
    meters: BTreeMap<String, MeterState>,
}

#[derive(Clone, Copy, Debug)]
struct Meta {
    epoch: u64,
    off: Micros,
    hw: Micros,
    start: Micros,
    /// What gates knew of the clock before no longer counts.
    mark: Micros,
}

#[derive(Clone, Copy, Debug)]
struct GateRecord {
    seq: u64,
    confirmed: Micros,
    last: Micros,
    promise: u64,
    outage: Micros,
    longest: Micros,
}

#[derive(Clone, Debug, Default)]
struct MeterState {
    used: i64,
    held: u64,
    span: Micros,
    leases: BTreeMap<String, LeaseRecord>,
    log: BTreeMap<(Micros, String), i64>,
    /// What is in the log: nothing is twice.
    names: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct LeaseRecord {
    held: u64,
    end: Micros,
    limit: u64,
    claim: u64,
    at: Micros,
    /// What it had at its end, and is logged as.
    lump: u64,
}

/// What one turn finds before it comes to the limits.
struct Turn {
    now: Micros,
    late: Micros,
    start: Micros,
    is_ready: bool,
    silent: Vec<SilentGate>,
}

/// A gate that may not hear the store, and uses its part until then.
struct SilentGate {
    promise: u64,
    until: Micros,
    outage: Micros,
}

impl StoreModel {
    /// A gate's turn, when the store's clock says `raw`.
    pub fn turn(&mut self, raw: Micros, call: &TurnCall) -> String {
        let mut meta = *self.meta.get_or_insert(Meta { epoch: call.nonce, off: 0, hw: raw, start: raw, mark: 0 });
        if call.epoch != meta.epoch {
            return format!("declare {} {}", meta.epoch, raw + meta.off - meta.start);
        }
        let me = self.gates.get(&call.gate).copied();
        match me {
            Some(me) if call.seq == me.seq => return self.answers[&call.gate].clone(),
            Some(me) if call.seq < me.seq => return "stale".to_owned(),
            _ => {}
        }
        let is_vouched = self.is_vouched(&call.gate, meta.hw);
        let Some((now, late)) = meta.now(raw, call, is_vouched) else {
            return format!("later {}", meta.hw);
        };
        self.meta = Some(meta);
        if me.is_none_or(|me| me.seq == 0) {
            self.join(now, call);
        }
        let (peers, promised, mut silent) = self.others(now, &call.gate);
        let mine = if call.leaves { 0 } else { call.share.min(PARTS.saturating_sub(promised)) };
        if now - call.confirmed > SILENT {
            silent.push(SilentGate { promise: mine, until: now + call.outage, outage: call.outage });
        }
        let is_ready = now >= meta.start + SETTLE && self.pending.is_empty();
        let turn = Turn { now, late, start: meta.start, is_ready, silent };
        let head = format!("ok {} {now} {late} {} {mine} {}", meta.epoch, call.attempt, peers.join(" "));
        let leases =
            call.meters.iter().map(|said| self.meters.entry(said.id.clone()).or_default().turn(&turn, call, said));
        let answer = [head].into_iter().chain(leases).collect::<Vec<_>>().join("\n");
        self.remember(now, call, mine, &answer);
        answer
    }

    /// What is leased of a limit, what is logged, and how many places there are beyond it if it was exceeded.
    #[must_use]
    pub fn counts(&self, id: &str) -> Option<(u64, i64)> {
        self.meters.get(id).map(|meter| (meter.held, meter.used))
    }

    /// Whether another gate called lately, when the clock stood at `hw`.
    fn is_vouched(&self, own: &str, hw: Micros) -> bool {
        self.gates.iter().any(|(id, gate)| id != own && hw - gate.last <= VOUCH)
    }

    /// In a new epoch all gates that any gate knew of declare what they have sent. One that does not may be on its share.
    fn join(&mut self, now: Micros, call: &TurnCall) {
        self.pending.remove(&call.gate);
        for (id, promise) in call.peers.iter().filter_map(|peer| peer.rsplit_once(':')) {
            if id != call.gate && !self.gates.contains_key(id) {
                let TurnCall { outage, longest, .. } = *call;
                let promise = promise.parse().unwrap_or(0);
                let record = GateRecord { seq: 0, confirmed: 0, last: now, promise, outage, longest };
                self.gates.insert(id.to_owned(), record);
                self.pending.insert(id.to_owned());
            }
        }
    }

    /// The other gates, what they are promised, and of that what is set aside.
    fn others(&mut self, now: Micros, own: &str) -> (Vec<String>, u64, Vec<SilentGate>) {
        let is_over = |id: &str, gate: &GateRecord| id != own && now >= gate.last + gate.outage + gate.longest;
        self.gates.retain(|id, gate| !is_over(id, gate));
        let gates = &self.gates;
        self.answers.retain(|id, _| gates.contains_key(id));
        let others = || self.gates.iter().filter(|&(id, _)| id != own);
        let silent = others().filter(|(_, gate)| now - gate.confirmed > SILENT);
        let silent = silent.map(|(_, gate)| SilentGate {
            promise: gate.promise,
            until: gate.last + gate.outage,
            outage: gate.outage,
        });
        let silent = silent.collect();
        let names = others().map(|(id, gate)| format!("{id}:{}", gate.promise)).collect();
        (names, others().map(|(_, gate)| gate.promise).sum(), silent)
    }

    fn remember(&mut self, now: Micros, call: &TurnCall, promise: u64, answer: &str) {
        let TurnCall { seq, confirmed, outage, longest, .. } = *call;
        if call.leaves {
            self.gates.remove(&call.gate);
            self.answers.remove(&call.gate);
        } else {
            let record = GateRecord { seq, confirmed, last: now, promise, outage, longest };
            self.gates.insert(call.gate.clone(), record);
            self.answers.insert(call.gate.clone(), answer.to_owned());
        }
    }
}

impl Meta {
    /// The store's time, held between the clocks of the gates, which do not step; and the latest that it can be by the gate's
    /// own. A gate that cannot tell how long it was away is told what the clock is until it has seen it move, if any other calls.
    fn now(&mut self, raw: Micros, call: &TurnCall, is_vouched: bool) -> Option<(Micros, Micros)> {
        let (mut now, mut late) = (raw + self.off, 0);
        if call.prev > 0 && call.prev >= self.mark && self.hw - call.prev <= VOUCH {
            let held = now.min(call.anchor + call.since_anchor + STEP).max(call.prev + call.since_answer);
            self.off += held - now;
            (now, late) = (held, call.anchor + call.since_anchor);
        } else if is_vouched && call.waits < VOUCH {
            return None;
        } else {
            self.mark = now.max(self.hw);
        }
        self.hw = self.hw.max(now);
        // What the gate did, and what it will do, is no later than this by its own clock, however late the store's is.
        Some((self.hw, self.hw.max(late)))
    }
}

impl MeterState {
    fn turn(&mut self, turn: &Turn, call: &TurnCall, said: &MeterCall) -> String {
        let Turn { now, late, start, is_ready, ref silent } = *turn;
        self.span = self.span.max(said.span);
        let mut own = self.leases.remove(&call.gate).unwrap_or_default();
        self.end_leases(now);
        let lapsed = self.resume(now, &call.gate, &mut own);
        self.leases.retain(|_, lease| lease.held > 0 || lease.at + self.span > now);
        let lowest = self.leases.values().map(|lease| lease.limit).chain([said.limit]).min().unwrap_or(said.limit);
        let hungry = self.leases.values().filter(|lease| lease.at + HUNGRY > now);
        let claims: u64 = hungry.map(|lease| lease.claim).sum();
        self.log_entries(turn, call, said, &mut own, lapsed);
        self.forget(now);
        let back = if call.leaves { own.held } else { said.back.min(own.held) };
        (own.held, self.held) = (own.held - back, self.held - back);
        let quiet = silent.iter().filter(|gate| self.span < gate.outage && now < gate.until + self.span);
        let aside = lowest * quiet.map(|gate| gate.promise).sum::<u64>() / PARTS;
        let want = if call.leaves { 0 } else { said.want };
        let taken = self.used + signed(self.held + aside);
        let room = u64::try_from(signed(lowest) - taken).unwrap_or(0);
        let may_lease = is_ready || now >= start + self.span + call.ttl;
        let part = (room * said.claim).div_ceil((claims + said.claim).max(1));
        let granted = if may_lease { want.min(room).min(part.max(said.least)) } else { 0 };
        (own.held, self.held) = (own.held + granted, self.held + granted);
        let claim = if want == granted { 0 } else { said.claim };
        if !call.leaves {
            let lease =
                LeaseRecord { held: own.held, end: late + call.ttl, limit: said.limit, claim, at: now, lump: 0 };
            self.leases.insert(call.gate.clone(), lease);
        }
        let (used, held, lapsed) = (self.used, self.held, u8::from(lapsed));
        let mut text = format!("{lapsed} {granted} {lowest} {used} {held} {aside} {claims} {claim}");
        if want > granted {
            self.leaving(now).for_each(|time| write!(text, " {time}").expect("a text takes any text"));
        }
        text
    }

    /// Leases of other gates that ended count as spent at their end.
    fn end_leases(&mut self, now: Micros) {
        for (id, lease) in &mut self.leases {
            if lease.held > 0 && lease.end <= now {
                let cost = signed(lease.held);
                let key = lease.lump_key(id, lease.held);
                if self.names.insert(key.1.clone()) {
                    self.log.insert(key, cost);
                    self.used += cost;
                }
                self.held -= lease.held;
                (lease.lump, lease.held) = (lease.held, 0);
            }
        }
    }

    /// What this gate had when its lease ended it still has: it has spent nothing since. Says whether that is gone for good.
    fn resume(&mut self, now: Micros, id: &str, own: &mut LeaseRecord) -> bool {
        if own.lump > 0 {
            let key = own.lump_key(id, own.lump);
            if self.log.remove(&key).is_none() {
                return true;
            }
            self.names.remove(&key.1);
            self.used -= signed(own.lump);
            self.held += own.lump;
            own.held = own.lump;
        } else if own.held > 0 && own.end + self.span <= now {
            self.held -= own.held;
            own.held = 0;
            return true;
        }
        false
    }

    fn log_entries(&mut self, turn: &Turn, call: &TurnCall, said: &MeterCall, own: &mut LeaseRecord, lapsed: bool) {
        for (nth, entry) in said.entries.iter().enumerate() {
            let cost = signed(entry.cost);
            let name = |cost: i64| format!("{}:{}.{}:{cost}", call.gate, call.seq, 7 + 3 * nth);
            let refunded = call.prev - entry.age - STEP;
            let (at, cost) = match entry.kind {
                EntryKind::Spent if lapsed => continue,
                EntryKind::Held => {
                    (own.held, self.held) = (own.held + entry.cost, self.held + entry.cost);
                    continue;
                }
                EntryKind::Refund if refunded <= turn.now - self.span => continue,
                EntryKind::Refund => (refunded, -cost),
                EntryKind::Spent | EntryKind::Extra => (turn.late - entry.age, cost),
            };
            if !self.names.insert(name(cost)) {
                continue;
            }
            self.log.insert((at, name(cost)), cost);
            self.used += cost;
            if entry.kind == EntryKind::Spent {
                let paid = entry.cost.min(own.held);
                (own.held, self.held) = (own.held - paid, self.held - paid);
            }
        }
    }

    fn forget(&mut self, now: Micros) {
        for _ in 0..MOST {
            let Some(first) = self.log.first_entry().filter(|entry| entry.key().0 <= now - self.span) else { break };
            let ((_, name), cost) = first.remove_entry();
            self.names.remove(&name);
            self.used -= cost;
        }
    }

    /// When eighths of what counts will have left the window.
    fn leaving(&self, now: Micros) -> impl Iterator<Item = Micros> {
        let entries = self.log.len();
        let times: Vec<Micros> = self.log.keys().map(|(at, _)| at + self.span - now).collect();
        let eighths = if entries > 0 { 8 } else { 0 };
        (1..=eighths).map(move |eighth| times[(entries * eighth / 8).saturating_sub(1)])
    }
}

impl LeaseRecord {
    fn lump_key(&self, id: &str, cost: u64) -> (Micros, String) {
        (self.end, format!("{id}:e{}:{cost}", self.end))
    }
}

/// No count comes near the end of either.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
