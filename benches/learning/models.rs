//! Three models with buckets of requests and tokens, and a gate without any configuration.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tidegate::config::DEFAULT;
use tidegate_lab::mock::{ModelLimits, Options};

use crate::crowd::{Crowd, Work};
use crate::house::House;

/// Requests and tokens a minute of each model.
const MODELS: [(&str, u64, u64); 3] =
    [("by-requests", 240, 900_000), ("by-tokens", 2_000, 90_000), ("by-both", 300, 240_000)];
const WORKERS: u32 = 60;

/// Of what binds, so much must be used, in percent; of the requests so few refused, in thousandths.
const USED: u64 = 95;
const REFUSED: u64 = 5;

/// What has been answered of each model in each minute: requests, and tokens as the upstream counts them.
type Answered = HashMap<(String, u64), (u64, u64)>;

struct Prompts {
    ends: Duration,
    answered: Arc<Mutex<Answered>>,
}

impl Work for Prompts {
    /// A prompt of some length, half of them streamed, to one of the models.
    fn next(&self, worker: u32, elapsed: Duration) -> Option<String> {
        let words = ["tide ", "gate ", "water ", "through ", "between "];
        let prompt: String = (0..fastrand::usize(10..600)).map(|_| words[fastrand::usize(..words.len())]).collect();
        let body = json!({
            "model": MODELS[worker as usize % MODELS.len()].0, "messages": [{ "role": "user", "content": prompt }],
            "max_tokens": fastrand::u32(16..400), "stream": fastrand::bool(),
        });
        (elapsed < self.ends).then(|| body.to_string())
    }

    fn answered(&self, body: &str, elapsed: Duration) {
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        let model = json["model"].as_str().unwrap_or_default().to_owned();
        let tokens = body.len().div_ceil(4) as u64 + json["max_tokens"].as_u64().unwrap_or_default();
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let (requests, cost) = answered.entry((model, elapsed.as_secs() / 60)).or_default();
        (*requests, *cost) = (*requests + 1, *cost + tokens);
    }
}

/// Prints what came of it; whether that is as it should be.
pub(crate) async fn all(time: Duration) -> Result<bool> {
    let models = MODELS.iter().map(|(name, requests, tokens)| format!("{name}={requests}:{tokens}").parse());
    let model_limits =
        ModelLimits { models: models.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?, ..ModelLimits::default() };
    let options = Options { model_limits, gap: Duration::from_millis(2), ..Options::default() };
    let house = House::open(DEFAULT, options, DEFAULT).await?;
    let answered = Arc::new(Mutex::new(Answered::new()));
    let prompts = Prompts { ends: time, answered: Arc::clone(&answered) };
    let failed = Crowd::new(house.address, "/v1/chat/completions", prompts).send(WORKERS).await;
    let stats = house.mock.stats();
    let refused = stats.denied * 1_000 / (stats.admitted + stats.denied).max(1);
    let answered = answered.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut is_well = failed == 0 && (refused <= REFUSED || time < Duration::from_mins(2));
    println!(
        "models without configuration: failed {failed}, refused {} of {}",
        stats.denied,
        stats.admitted + stats.denied
    );
    for (name, requests, tokens) in MODELS {
        let minutes = 1..time.as_secs() / 60;
        let used = |minute| answered.get(&(name.to_owned(), minute)).copied().unwrap_or_default();
        let shares: Vec<u64> =
            minutes.map(used).map(|(some, cost)| (some * 100 / requests).max(cost * 100 / tokens)).collect();
        is_well &= shares.is_empty() || shares.iter().sum::<u64>() >= USED * shares.len() as u64;
        println!(
            "   {name:<12} {requests} requests, {tokens} tokens a minute: used {shares:?} % of what binds from the second minute on"
        );
    }
    println!("{}", if is_well { "ok" } else { "NO" });
    Ok(is_well)
}
