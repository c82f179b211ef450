//! The demo's traffic: workers that send requests, and what came of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::mock::MockStats;

/// Workers that send requests as an official SDK does: a request that fails is retried twice.
pub struct DemoTraffic {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    left: AtomicU32,
    counts: DemoCounts,
}

/// What has come of the requests so far.
#[derive(Debug, Default)]
pub struct DemoCounts {
    /// Requests that succeeded, some after retries.
    pub answered: AtomicU32,
    /// 429s, each attempt by itself.
    pub refusals: AtomicU32,
    /// Requests that failed after all retries.
    pub failed: AtomicU32,
}

/// What came of all requests to one side, as its clients and its upstream counted it.
#[derive(Clone, Copy, Debug)]
pub struct DemoResult {
    /// Requests that succeeded.
    pub answered: u32,
    /// Requests that failed after all retries.
    pub failed: u32,
    /// Refusals by the upstream.
    pub refused: u64,
    /// The most requests that the upstream admitted in any of its windows.
    pub most: u32,
    /// The time that all of it took.
    pub took: Duration,
}

/// The SDKs' default number of retries, and the wait before the first (docs/upstream.md §5.2).
const RETRIES: u32 = 2;
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

impl DemoTraffic {
    /// Workers that will create `requests` threads at this address.
    #[must_use]
    pub fn new(address: SocketAddr, requests: u32) -> Arc<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Arc::new(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: format!("http://{address}/v1/threads"),
            left: AtomicU32::new(requests),
            counts: DemoCounts::default(),
        })
    }

    /// What has come of the requests so far.
    #[must_use]
    pub fn counts(&self) -> &DemoCounts {
        &self.counts
    }

    /// Sends all requests with this many workers, and returns how long it took.
    pub async fn send(self: Arc<Self>, at_once: u32) -> Duration {
        let began = Instant::now();
        let mut workers: JoinSet<()> = (0..at_once).map(|_| Arc::clone(&self).work()).collect();
        while workers.join_next().await.is_some() {}
        began.elapsed()
    }

    async fn work(self: Arc<Self>) {
        while self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            let counter = if self.call().await { &self.counts.answered } else { &self.counts.failed };
            counter.fetch_add(1, Relaxed);
        }
    }

    /// One call of an app, with its retries: whether it succeeded.
    async fn call(&self) -> bool {
        for attempt in 0..=RETRIES {
            if attempt > 0 {
                // As the SDKs do: twice as long each time, minus a random part of up to a quarter.
                sleep(FIRST_BACKOFF.mul_f64(f64::from(attempt) * (1.0 - 0.25 * fastrand::f64()))).await;
            }
            match self.try_once().await {
                Ok(status) if status.is_success() => return true,
                Ok(StatusCode::TOO_MANY_REQUESTS) => drop(self.counts.refusals.fetch_add(1, Relaxed)),
                _ => {}
            }
        }
        false
    }

    async fn try_once(&self) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
        let request = Request::post(&self.url).header("content-type", "application/json");
        let answer = self.client.request(request.body(Full::from("{}"))?).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }
}

impl DemoResult {
    /// What came of this traffic at an upstream with these statistics.
    #[must_use]
    pub fn new(traffic: &DemoTraffic, upstream: &MockStats, took: Duration) -> Self {
        let (answered, failed) = (traffic.counts.answered.load(Relaxed), traffic.counts.failed.load(Relaxed));
        let most = upstream.pools.iter().map(|pool| pool.most_in_window).max().unwrap_or_default();
        Self { answered, failed, refused: upstream.denied, most, took }
    }
}
