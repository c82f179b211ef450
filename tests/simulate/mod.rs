//! The same traffic through `simulate` and through admission with its lock, its timer and its clock, on a virtual clock: both
//! say the same waits. `benches/simulate` holds it against a gate on real sockets and in real time, and calls that are shared
//! as well: those need the whole way through the gate, and so its sockets.

mod recordings;
mod scenarios;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::alone::alone;
use http::Request;
use proptest::prelude::*;
use tidegate::config::{Config, Source};
use tidegate_lab::mock::{Faults, Mock, Options};
use tidegate_lab::simulate::{read, simulate};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bare::Bare;

/// For how long anybody begins something.
const LASTS: Duration = Duration::from_secs(10);

/// An upstream that is never full.
const ANYTHING: &str =
    "[pools.all]\nrequests = [\"1000000/s\"]\n[[routes]]\nmatch = \"* /v1/{*rest}\"\npools = [\"all\"]";

/// A pool, and who asks for it. All times are in whole milliseconds, as tokio's timers are.
#[derive(Clone, Debug)]
struct Scene {
    /// So many in so many seconds.
    pool: (u32, u32),
    in_flight: Option<u32>,
    latency: Duration,
    streams: Vec<Comes>,
}

/// When requests come.
#[derive(Clone, Copy, Debug)]
enum Comes {
    /// One in so many milliseconds.
    Evenly(u32),
    /// So many at once, after so many seconds.
    AtOnce(u32, u32),
    /// So many workers, with a pause in milliseconds after each answer.
    Workers(u32, u32),
}

prop_compose! {
    fn scenes()(
        pool in (1_u32..40, 1_u32..6),
        in_flight in prop::option::of(1_u32..10),
        latency in 1_u64..500,
        streams in streams(),
    ) -> Scene {
        Scene { pool, in_flight, latency: Duration::from_millis(latency), streams }
    }
}

/// Requests of which it makes no difference who goes first when two come in the same millisecond. That is so among workers
/// that are alike, and among requests for whose answers nobody waits.
fn streams() -> impl Strategy<Value = Vec<Comes>> {
    let evenly = prop::sample::select(vec![20, 40, 50, 100, 200, 250, 500]).prop_map(Comes::Evenly);
    let at_once = (1_u32..60, 0_u32..9).prop_map(|(count, after)| Comes::AtOnce(count, after));
    let workers = (1_u32..60, 0_u32..2_000).prop_map(|(count, pause)| Comes::Workers(count, pause));
    prop_oneof![prop::collection::vec(prop_oneof![evenly, at_once], 1..4), workers.prop_map(|workers| vec![workers]),]
}

/// What has come of a scene: how many were answered, and how long they waited, in milliseconds.
#[derive(Debug)]
struct Met {
    served: u64,
    mean: f64,
    p50: f64,
    p95: f64,
    max: f64,
}

impl Met {
    /// The same to the microsecond, in which `simulate` counts.
    fn is(&self, other: &Self) -> bool {
        let waits = |met: &Self| [met.mean, met.p50, met.p95, met.max];
        let same = |(one, other): (f64, f64)| (one - other).abs() < 1e-3;
        self.served == other.served && waits(self).into_iter().zip(waits(other)).all(same)
    }
}

impl Scene {
    fn config(&self) -> Config {
        let ((requests, seconds), most) = (self.pool, self.in_flight);
        let in_flight = most.map(|most| format!("in_flight = {most}\n")).unwrap_or_default();
        config(&format!(
            "[queue]\nmax_waiting = 100000\nmax_wait = \"10h\"\n\
             [pools.all]\nrequests = [\"{requests}/{seconds}s\"]\nmargin = \"20ms\"\n{in_flight}\
             [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"all\"]\n"
        ))
    }

    fn simulated(&self) -> Met {
        let latency = self.latency.as_millis();
        let streams = self.streams.iter().map(|comes| {
            let comes = match comes {
                Comes::Evenly(every) => format!("rate = \"{}/s\"", 1_000 / every),
                Comes::AtOnce(count, after) => format!("burst = {count}\nfrom = \"{after}s\""),
                Comes::Workers(count, pause) => format!("workers = {count}\npause = \"{pause}ms\""),
            };
            format!("[[streams]]\nrequest = \"POST /v1/threads\"\nlatency = \"{latency}ms\"\n{comes}\n")
        });
        let text = format!("duration = \"{}s\"\n{}", LASTS.as_secs(), streams.collect::<String>());
        let traffic = read("scene", &text).expect("a scenario");
        let report = simulate(&self.config().settings(), &traffic, Instant::now().into_std(), |_| ());
        let waits = report.whole.wait_ms;
        Met { served: report.whole.served, mean: waits.mean, p50: waits.p50, p95: waits.p95, max: waits.max }
    }

    async fn played(&self) -> Met {
        let faults = Faults { latency: self.latency, ..Faults::default() };
        let mock = Mock::new(&config(ANYTHING).settings(), Options { faults, ..Options::default() });
        // From here on the clock goes in whole milliseconds.
        sleep(Duration::from_millis(1)).await;
        let way = Bare::new(self.config(), &mock, (Duration::ZERO, Duration::ZERO), 1);
        let line = Arc::new(Line { way, began: Instant::now(), waits: Mutex::default() });
        let streams = self.streams.iter().map(|&comes| Arc::clone(&line).send(comes));
        streams.collect::<JoinSet<()>>().join_all().await;
        let mut waits = line.waits.lock().unwrap_or_else(PoisonError::into_inner).clone();
        waits.sort_unstable();
        let at = |percent: usize| waits[(waits.len() * percent).div_ceil(100).saturating_sub(1)].as_secs_f64() * 1e3;
        let served = u32::try_from(waits.len()).expect("not so many");
        let mean = waits.iter().sum::<Duration>().as_secs_f64() * 1e3 / f64::from(served);
        Met { served: served.into(), mean, p50: at(50), p95: at(95), max: at(100) }
    }
}

/// A line before admission, and how long each of it has waited.
struct Line {
    way: Bare,
    began: Instant,
    waits: Mutex<Vec<Duration>>,
}

impl Line {
    async fn send(self: Arc<Self>, comes: Comes) {
        let (ends, mut asking) = (self.began + LASTS, JoinSet::new());
        match comes {
            Comes::Evenly(every) => {
                let times = (0..).map(|nth| self.began + Duration::from_millis(every.into()) * nth);
                for next in times.take_while(|&next| next < ends) {
                    sleep_until(next).await;
                    asking.spawn(Arc::clone(&self).ask());
                }
            }
            Comes::AtOnce(count, after) => {
                sleep_until(self.began + Duration::from_secs(after.into())).await;
                (0..count).for_each(|_| drop(asking.spawn(Arc::clone(&self).ask())));
            }
            Comes::Workers(count, pause) => {
                (0..count)
                    .for_each(|_| drop(asking.spawn(Arc::clone(&self).work(Duration::from_millis(pause.into())))));
            }
        }
        asking.join_all().await;
    }

    async fn work(self: Arc<Self>, pause: Duration) {
        while self.began.elapsed() < LASTS {
            Arc::clone(&self).ask().await;
            sleep(pause).await;
        }
    }

    async fn ask(self: Arc<Self>) {
        let request = Request::post("/v1/threads").body("{}".into()).expect("a request");
        let waited = self.way.ask(request).await.expect("nobody is refused").waited;
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(waited);
    }
}

fn config(text: &str) -> Config {
    Config::parse(&Source::Text("scene".to_owned()), &alone(text)).expect("a valid configuration")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn simulated_waits_are_those_of_admission(scene in scenes()) {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
        let (played, simulated) = runtime.block_on(async { (scene.played().await, scene.simulated()) });
        prop_assert!(played.is(&simulated), "{played:?}, simulated {simulated:?}");
    }
}
