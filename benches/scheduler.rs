//! What the scheduler costs by itself, without sockets: one arrival, one grant and one completion while others wait, the
//! memory of each that waits, a look at many pool instances, and an event of `/events` about them.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tidegate::admin::AdminState;
use tidegate::admission::{AdmissionRequest, Decision, PoolRules, Rules, Scheduler};
use tidegate::config::{Config, Source};
use tidegate::gate::Gate;
use tidegate::limit::{Charge, Limits, PoolId};
use tidegate::queue::{Charges, ClientId};
use tidegate::route::Ask;

const ROUNDS: u32 = 7;
const CYCLES: u32 = 50_000;

/// A scheduler at which one request is in flight and the others wait.
struct Crowd {
    scheduler: Scheduler<usize>,
    now: Instant,
    clients: u64,
    came: u64,
    granted: VecDeque<Charges>,
}

impl Crowd {
    fn new(clients: u64) -> Self {
        let limits = Limits {
            requests: vec!["100000/s".parse().expect("a rate")],
            in_flight: Some(NonZeroU32::MIN),
            ..Limits::default()
        };
        let rules = PoolRules {
            max_waiting: usize::MAX,
            max_bytes: u64::MAX,
            max_wait: Duration::from_hours(24),
            refuse_when_full: false,
        };
        let rules = Rules {
            pools: vec![(limits, rules)],
            max_waiting: usize::MAX,
            weights: HashMap::new(),
            ageing: Duration::from_secs(30),
        };
        let (scheduler, now) = (Scheduler::new(rules), time());
        let mut crowd = Self { scheduler, now, clients, came: 0, granted: VecDeque::new() };
        crowd.arrive();
        crowd
    }

    fn arrive(&mut self) {
        const ONE: [Ask; 1] = [Ask { pool: PoolId(0), key: None, cost: Some(1) }];
        self.came += 1;
        let client = ClientId(self.came * 7 % self.clients);
        let applicant = AdmissionRequest { client, ..AdmissionRequest::default() };
        let arrival = self.scheduler.arrive(self.now, &ONE, applicant, || 0);
        if let tidegate::admission::Arrival::Granted { charges, .. } = arrival {
            self.sent(&charges);
            self.granted.push_back(charges);
        }
    }

    /// The one in flight is over, and the next goes.
    fn complete(&mut self) {
        let over = self.granted.pop_front().expect("one is in flight");
        self.scheduler.release(self.now, &over);
        for decision in self.scheduler.take_decisions() {
            let Decision::Grant { charges, .. } = decision else { panic!("refused") };
            self.sent(&charges);
            self.granted.push_back(charges);
        }
    }

    fn sent(&mut self, charges: &[Charge]) {
        self.scheduler.commit(self.now, charges);
    }

    /// Microseconds for one arrival, one grant and one completion.
    fn cycle(&mut self) -> f64 {
        let began = time();
        for _ in 0..CYCLES {
            self.now += Duration::from_micros(20);
            self.arrive();
            self.complete();
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(CYCLES)
    }
}

/// Of so many instances of a pool everything is taken, and at each one waits. The gate looks at 16 of them at a time.
const INSTANCES: u32 = 1_000;
const AT_ONCE: u32 = 16;

/// Milliseconds for a look at all of them.
fn look() -> f64 {
    let limits = Limits { requests: vec!["1/min".parse().expect("a rate")], ..Limits::default() };
    let rules = PoolRules {
        max_waiting: usize::MAX,
        max_bytes: u64::MAX,
        max_wait: Duration::from_hours(24),
        refuse_when_full: false,
    };
    let rules = Rules {
        pools: vec![(limits, rules)],
        max_waiting: usize::MAX,
        weights: HashMap::new(),
        ageing: Duration::from_secs(30),
    };
    let (mut scheduler, now) = (Scheduler::new(rules), time());
    for number in 0..2 * INSTANCES {
        let ask = [Ask { pool: PoolId(0), key: Some((number % INSTANCES).to_string().into()), cost: Some(1) }];
        let applicant = AdmissionRequest { client: ClientId(u64::from(number % 100)), ..AdmissionRequest::default() };
        if let tidegate::admission::Arrival::Granted { charges, .. } = scheduler.arrive(now, &ask, applicant, || 0) {
            scheduler.commit(now, &charges);
        }
    }
    let looks = 20;
    let began = time();
    for _ in 0..looks {
        let seen = scheduler.snapshot(now);
        assert_eq!(seen.instances.iter().filter(|state| state.waiting == 1).count(), 1_000);
    }
    began.elapsed().as_secs_f64() * 1e3 / f64::from(looks)
}

/// Each model has an instance of requests and one of tokens.
const MODELS: &str = r#"
    extends = "none"
    [pools.chat]
    requests = ["1000/min"]
    tokens = ["100000/min"]
    key = ["body.model"]
    [[routes]]
    match = "POST /v1/chat/completions"
    pools = ["chat"]
"#;

/// Milliseconds of processor time for an event about all of them. One is made each second, for all who listen.
async fn event() -> f64 {
    let config = Config::parse(&Source::Text("bench".to_owned()), MODELS).expect("a valid configuration");
    let gate = Gate::start(&config).expect("a gate");
    let watched = AdminState::new(&config, gate.clone());
    for number in 0..INSTANCES / 2 {
        let key = Some(format!("model-{number}").into());
        let asks = [0, 1].map(|pool| Ask { pool: PoolId(pool), key: key.clone(), cost: Some(1) });
        let (place, _) = gate.admission().acquire(&asks, AdmissionRequest::default()).await.expect("room").split();
        place.sent();
    }
    let (events, before) = (200, spent());
    for _ in 0..events {
        let event = serde_json::to_string(&watched.brief()).expect("JSON");
        assert!(event.contains("\"more\":900"), "it tells of a hundred instances: {event}");
    }
    spent().saturating_sub(before).as_secs_f64() * 1e3 / f64::from(events)
}

/// What this thread has spent of processor time.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

fn time() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The memory of this process, in bytes.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096.0
}

fn main() {
    println!("scheduler alone, one arrival + grant + completion (median of {ROUNDS} runs of {CYCLES}):");
    for (waiting, clients) in [(1_000, 1), (1_000, 16), (1_000, 1_000), (100_000, 1), (100_000, 16), (100_000, 10_000)]
    {
        let before = resident();
        let mut crowd = Crowd::new(clients);
        (0..waiting).for_each(|_| crowd.arrive());
        let each = (resident() - before) / f64::from(waiting);
        let mut times: Vec<f64> = (0..ROUNDS).map(|_| crowd.cycle()).collect();
        times.sort_by(f64::total_cmp);
        let memory = if each < 1.0 || waiting < 100_000 { String::new() } else { format!(", {each:.0} bytes each") };
        println!("  {waiting:>7} waiting of {clients:>6} clients: {:.2} us{memory}", times[times.len() / 2]);
    }
    let mut looks: Vec<f64> = (0..ROUNDS).map(|_| look()).collect();
    looks.sort_by(f64::total_cmp);
    let (all, some) = (looks[looks.len() / 2], looks[looks.len() / 2] * f64::from(AT_ONCE) / f64::from(INSTANCES));
    println!(
        "  a look at {INSTANCES} instances, with {INSTANCES} waiting: {all:.2} ms, of which others wait for {some:.3} ms at most"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut events: Vec<f64> = (0..ROUNDS).map(|_| runtime.block_on(event())).collect();
    events.sort_by(f64::total_cmp);
    let each = events[events.len() / 2];
    println!("  /events at {INSTANCES} instances: {each:.2} ms a second, which is {:.2} % of a core", each / 10.0);
}
