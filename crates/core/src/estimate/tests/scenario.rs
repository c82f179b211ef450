//! A scenario: one line of `key=value` words.

use std::time::Duration;

use crate::estimate::LimitCase;
use crate::meter::Counting;

/// What the upstream counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Pool,
    Route,
    Path,
    Account,
    Upstream,
}

/// What the upstream does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// Nothing.
    Open,
    /// So many in a window.
    Rate {
        amount: u32,
        per: Duration,
        counting: Counting,
        burst: Option<u32>,
        refusals_count: bool,
    },
    InFlight(u32),
    Random(f64),
    /// All is refused within these parts of the run.
    Outage(f64, f64),
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) rule: Rule,
    pub(super) scope: Scope,
    /// What somebody else takes of it at most.
    pub(super) foreign: f64,
    pub(super) pools: usize,
    pub(super) configured: u32,
    pub(super) per: Duration,
    pub(super) routes: u16,
    pub(super) threads: u64,
    pub(super) accounts: u64,
    pub(super) clients: usize,
    pub(super) service: Duration,
    pub(super) jitter: Duration,
    /// What is asked for, as a part of what the rule allows.
    pub(super) load: f64,
    pub(super) windows: u32,
    /// Somebody has used all of the limit just before the start.
    pub(super) prefilled: bool,
    pub(super) expect: LimitCase,
}

impl Scenario {
    pub(super) fn read(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let mut scenario = Self { name: words.next().expect("a name").to_owned(), ..Self::default() };
        let words: Vec<(&str, &str)> = words.map(|word| word.split_once('=').expect("key=value")).collect();
        words.iter().for_each(|(key, value)| scenario.set(key, value));
        if let Rule::Rate { counting, burst, refusals_count, .. } = &mut scenario.rule {
            for (key, value) in &words {
                match *key {
                    "counting" => *counting = value.parse().expect("a way of counting"),
                    "burst" => *burst = Some(number(value) as u32),
                    "refusals_count" => *refusals_count = true,
                    _ => {}
                }
            }
        }
        let expected = words.iter().find(|(key, _)| *key == "expect").map(|(_, value)| case(value));
        scenario.expect = expected.unwrap_or(match scenario.rule {
            Rule::Open => LimitCase::WithinLimits,
            Rule::Rate { .. } => LimitCase::LowerLimit,
            Rule::InFlight(_) => LimitCase::InFlight,
            Rule::Random(_) => LimitCase::Throttled,
            Rule::Outage(..) => LimitCase::Incident,
        });
        scenario
    }

    fn set(&mut self, key: &str, value: &str) {
        let pair = |by| value.split_once(by).map(|(one, other)| (number(one), number(other))).expect(value);
        match key {
            "rate" => {
                let (amount, per) = pair('/');
                let (amount, per) = (amount as u32, millis(per));
                let counting = Counting::Sliding;
                self.rule = Rule::Rate { amount, per, counting, burst: None, refusals_count: false };
            }
            "in_flight" => self.rule = Rule::InFlight(number(value) as u32),
            "random" => self.rule = Rule::Random(number(value)),
            "outage" => self.rule = Rule::Outage(pair('-').0, pair('-').1),
            "scope" => self.scope = scope(value),
            "foreign" => self.foreign = number(value),
            "pools" => self.pools = number(value) as usize,
            "configured" => self.configured = number(value) as u32,
            "per" => self.per = millis(number(value)),
            "routes" => self.routes = number(value) as u16,
            "threads" => self.threads = number(value) as u64,
            "accounts" => self.accounts = number(value) as u64,
            "clients" => self.clients = number(value) as usize,
            "service" => self.service = millis(number(value)),
            "jitter" => self.jitter = millis(number(value)),
            "load" => self.load = number(value),
            "prefilled" => self.prefilled = number(value) > 0.0,
            "windows" => self.windows = number(value) as u32,
            "counting" | "burst" | "refusals_count" | "expect" => {}
            _ => panic!("{key}={value}"),
        }
    }

    /// How many a second the rule lets through, of what is bound by it.
    pub(super) fn capacity(&self) -> f64 {
        let configured = f64::from(self.configured) / self.per.as_secs_f64() * self.pools as f64;
        let groups = match self.scope {
            Scope::Path => self.threads as f64,
            Scope::Account => self.accounts as f64,
            _ => 1.0,
        };
        let round = (self.service + self.jitter).as_secs_f64() + 0.02;
        match self.rule {
            Rule::Rate { amount, per, .. } => (f64::from(amount) / per.as_secs_f64() * groups).min(configured),
            Rule::InFlight(most) => (f64::from(most) / round * groups).min(configured),
            Rule::Open | Rule::Random(_) | Rule::Outage(..) => configured,
        }
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            rule: Rule::Open,
            scope: Scope::Pool,
            foreign: 0.0,
            pools: 1,
            configured: 300,
            per: Duration::from_secs(6),
            routes: 2,
            threads: 5,
            accounts: 1,
            clients: 40,
            service: Duration::from_millis(100),
            jitter: Duration::from_millis(20),
            load: 1.5,
            windows: 6,
            prefilled: false,
            expect: LimitCase::WithinLimits,
        }
    }
}

fn number(text: &str) -> f64 {
    text.parse().expect(text)
}

fn millis(number: f64) -> Duration {
    Duration::from_secs_f64(number / 1_000.0)
}

fn scope(name: &str) -> Scope {
    match name {
        "pool" => Scope::Pool,
        "route" => Scope::Route,
        "path" => Scope::Path,
        "account" => Scope::Account,
        "upstream" => Scope::Upstream,
        _ => panic!("{name}"),
    }
}

fn case(name: &str) -> LimitCase {
    match name {
        "within_limits" => LimitCase::WithinLimits,
        "own_limit" => LimitCase::OwnLimit,
        "lower_limit" => LimitCase::LowerLimit,
        "bursts" => LimitCase::Bursts,
        "in_flight" => LimitCase::InFlight,
        "shared" => LimitCase::Shared,
        "throttled" => LimitCase::Throttled,
        "incident" => LimitCase::Incident,
        _ => panic!("{name}"),
    }
}
