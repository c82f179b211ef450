//! The stand-in's limits on a clock that the test steps by hand.

mod faults;
mod models;
mod options;
mod rules;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Request};
use clap::Parser;
use serde_json::{Value, json};

use super::arrival::ArrivedRequest;
use super::decision::{Denial, MockDecision};
use super::limits::MockLimits;
use super::script::FaultChange;
use super::*;
use crate::limit::{Limits as PoolLimits, PoolId};
use crate::route::{Priority, RouteCharge, Table, Weight};
use crate::settings::PoolSettings;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The limits of a stand-in that was started with some arguments.
struct Upstream {
    limits: MockLimits,
    started: Instant,
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
    Arguments::try_parse_from(["mock"].iter().chain(arguments)).map(|parsed| parsed.options)
}

/// 100 POSTs a minute to `/v1/threads`.
fn settings() -> Settings {
    let charge = RouteCharge { pool: PoolId(0), weight: Weight::Fixed(NonZeroU32::MIN), key: [].into() };
    let template = "POST /v1/threads".parse().expect("a template");
    let mut routes = Table::default();
    routes.insert(&template, vec![charge], Priority::Normal).expect("the only route");
    let limits = PoolLimits { requests: vec!["100/min".parse().expect("a rate")], ..PoolLimits::default() };
    Settings { routes: routes.into(), pools: vec![PoolSettings::new("posts", limits)], ..Settings::default() }
}

impl Upstream {
    fn start(arguments: &[&str]) -> Self {
        let limits = MockLimits::new(&settings(), options(arguments).expect("arguments"));
        Self { limits, started: tokio::time::Instant::now().into_std() }
    }

    fn arrive(&self, at: Duration, arrival: &ArrivedRequest) -> MockDecision {
        self.limits.arrive(self.started + at, arrival)
    }

    /// A POST that counts for the pool.
    fn post(&self, at: Duration) -> Option<Denial> {
        self.arrive(at, &self.request("/v1/threads", &[], json!({}))).denied
    }

    /// How many of so many POSTs are let in at once.
    fn admits(&self, at: Duration, posts: usize) -> usize {
        (0..posts).filter(|_| self.post(at).is_none()).count()
    }

    /// A chat of so many tokens, most of them those of its answer.
    fn chat(&self, at: Duration, model: &str, tokens: u64) -> MockDecision {
        self.arrive(at, &self.chat_request(model, tokens))
    }

    fn chat_request(&self, model: &str, tokens: u64) -> ArrivedRequest {
        let arrival = |most: u64| {
            let body = json!({ "model": model, "max_tokens": most });
            self.request("/v1/chat/completions", &[], body)
        };
        let mut arrivals = (0..=tokens).rev().map(arrival);
        arrivals.find(|arrival| u64::from(arrival.cost()) == tokens).expect("so many tokens")
    }

    fn request(&self, path: &str, headers: &[(&str, &str)], body: Value) -> ArrivedRequest {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let read = body.to_string().into();
        ArrivedRequest { head, found: self.limits.find("POST", path), body, read }
    }

    fn stats(&self, at: Duration) -> MockStats {
        self.limits.stats(self.started + at)
    }

    fn step(&self, at: Duration, step: Value) {
        self.limits.change(self.started + at, &FaultChange::at_once(step).expect("a step"));
    }
}

/// What a refusal says, and of which type it says it is.
async fn words(denied: Option<Denial>, arrival: &ArrivedRequest) -> Value {
    let answer = denied.expect("a refusal").answer(arrival, false);
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    serde_json::from_slice::<Value>(&body).expect("JSON")["error"].take()
}

fn headers(decision: &MockDecision) -> HeaderMap {
    let mut headers = HeaderMap::new();
    decision.headers.write(&mut headers);
    headers
}
