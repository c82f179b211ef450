//! Three models with buckets of requests and tokens, and a gate without any configuration, on a clock that goes from one
//! event to the next: what is learned of their limits is used, and hardly anything is refused.
//!
//! `benches/learning` does the same on real sockets and in real time. What is learned of limits that only refusals tell is
//! in `crates/core/src/scheduler/tests/upstream`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use http::{Request, StatusCode};
use serde_json::json;
use tidegate::config::{Config, DEFAULT, Source};
use tidegate_lab::mock::{Mock, ModelLimits, Options};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bare::Bare;

/// Requests and tokens a minute of each model.
const MODELS: [(&str, u64, u64); 3] =
    [("by-requests", 240, 900_000), ("by-tokens", 2_000, 90_000), ("by-both", 300, 240_000)];
const WORKERS: u64 = 60;
const MINUTES: u64 = 3;

/// Of what binds, so much must be used, in percent; of the requests so few refused, in thousandths.
const USED: u64 = 95;
const REFUSED: u64 = 5;

const NETWORK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(5));
const SEED: u64 = 1;

/// What has been answered of each model in each minute: requests, and tokens as the upstream counts them.
type Answered = HashMap<(&'static str, u64), (u64, u64)>;

/// Sends one prompt after the other, each of some length, half of them streamed, until the time is over.
async fn work(way: Arc<Bare>, worker: u64, answered: Arc<Mutex<Answered>>, failed: Arc<AtomicU32>) {
    let (began, mut chance) = (Instant::now(), Rng::with_seed(worker));
    let model = MODELS[usize::try_from(worker).expect("a few") % MODELS.len()].0;
    while began.elapsed() < Duration::from_mins(1) * u32::try_from(MINUTES).expect("a few") {
        let words = ["tide ", "gate ", "water ", "through ", "between "];
        let prompt: String = (0..chance.usize(10..600)).map(|_| words[chance.usize(..words.len())]).collect();
        let most = chance.u32(16..400);
        let body = json!({
            "model": model, "messages": [{ "role": "user", "content": prompt }],
            "max_tokens": most, "stream": chance.bool(),
        });
        let body = body.to_string();
        let tokens = body.len().div_ceil(4) as u64 + u64::from(most);
        let request = Request::post("/v1/chat/completions").header("content-type", "application/json");
        let answer = way.ask(request.body(body.into()).expect("a request")).await;
        if answer.is_none_or(|answer| answer.status != StatusCode::OK) {
            failed.fetch_add(1, Relaxed);
            continue;
        }
        let mut answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
        let (requests, cost) = answered.entry((model, began.elapsed().as_secs() / 60)).or_default();
        (*requests, *cost) = (*requests + 1, *cost + tokens);
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_models_are_used_without_configuration() {
    let models = MODELS.iter().map(|(name, requests, tokens)| format!("{name}={requests}:{tokens}").parse());
    let models = models.collect::<Result<_, _>>().expect("models");
    let model_limits = ModelLimits { models, ..ModelLimits::default() };
    let config = Config::parse(&Source::Text("learning".to_owned()), DEFAULT).expect("a valid configuration");
    let mock =
        Mock::new(&config.settings(), Options { model_limits, gap: Duration::from_millis(2), ..Options::default() });
    let way = Arc::new(Bare::new(config, &mock, NETWORK, SEED));
    let (answered, failed) = (Arc::<Mutex<Answered>>::default(), Arc::<AtomicU32>::default());
    let workers = (0..WORKERS).map(|worker| work(way.clone(), worker, answered.clone(), failed.clone()));
    workers.collect::<JoinSet<()>>().join_all().await;
    let stats = mock.stats();
    assert_eq!(failed.load(Relaxed), 0);
    assert!(stats.denied * 1_000 <= REFUSED * (stats.admitted + stats.denied), "{stats:?}");
    for (name, requests, tokens) in MODELS {
        let answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
        let used = |minute| answered.get(&(name, minute)).copied().unwrap_or_default();
        let shares = (1..MINUTES).map(used).map(|(some, cost)| (some * 100 / requests).max(cost * 100 / tokens));
        let shares: Vec<u64> = shares.collect();
        assert!(shares.iter().sum::<u64>() >= USED * shares.len() as u64, "{name}: {shares:?} % of what binds");
    }
}
