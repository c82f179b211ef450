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

/// Many workers that send requests as an official SDK does: a refused one is tried again twice.
pub(super) struct SdkClients {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    left: AtomicU32,
    met: Met,
}

/// What the crowd has met so far, in requests.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) answered: AtomicU32,
    pub(super) refusals: AtomicU32,
    pub(super) failed: AtomicU32,
}

/// How often the SDKs try again, and how long they wait first, by default (docs/upstream.md §5.2).
const RETRIES: u32 = 2;
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

impl SdkClients {
    /// A crowd that will create `requests` threads at this address.
    pub(super) fn new(address: SocketAddr, requests: u32) -> Arc<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Arc::new(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: format!("http://{address}/v1/threads"),
            left: AtomicU32::new(requests),
            met: Met::default(),
        })
    }

    pub(super) fn met(&self) -> &Met {
        &self.met
    }

    /// Sends everything, `at_once` at a time, and says how long it took.
    pub(super) async fn send(self: Arc<Self>, at_once: u32) -> Duration {
        let began = Instant::now();
        let mut workers: JoinSet<()> = (0..at_once).map(|_| Arc::clone(&self).work()).collect();
        while workers.join_next().await.is_some() {}
        began.elapsed()
    }

    async fn work(self: Arc<Self>) {
        while self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            let met = if self.call().await { &self.met.answered } else { &self.met.failed };
            met.fetch_add(1, Relaxed);
        }
    }

    /// One call of an app: whether it got its answer in the end.
    async fn call(&self) -> bool {
        for attempt in 0..=RETRIES {
            if attempt > 0 {
                // As the SDKs do: twice as long each time, less up to a quarter by chance.
                sleep(FIRST_BACKOFF.mul_f64(f64::from(attempt) * (1.0 - 0.25 * fastrand::f64()))).await;
            }
            match self.try_once().await {
                Ok(status) if status.is_success() => return true,
                Ok(StatusCode::TOO_MANY_REQUESTS) => drop(self.met.refusals.fetch_add(1, Relaxed)),
                _ => {}
            }
        }
        false
    }

    async fn try_once(&self) -> anyhow::Result<StatusCode> {
        let request = Request::post(&self.url).header("content-type", "application/json");
        let answer = self.client.request(request.body(Full::from("{}"))?).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }
}
