use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What is sent.
pub(crate) trait Work: Send + Sync + 'static {
    /// A worker's next body, this long after the beginning; nothing ends it.
    fn next(&self, worker: u32, elapsed: Duration) -> Option<String>;

    /// A body was sent and answered.
    fn answered(&self, _body: &str, _elapsed: Duration) {}
}

/// Clients that send one request after the other, and never try again.
pub(crate) struct Crowd {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    began: Instant,
    work: Box<dyn Work>,
    failed: AtomicU32,
}

impl Crowd {
    pub(crate) fn new(address: SocketAddr, path: &str, work: impl Work) -> Arc<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Arc::new(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: format!("http://{address}{path}"),
            began: Instant::now(),
            work: Box::new(work),
            failed: AtomicU32::new(0),
        })
    }

    /// Sends everything with so many workers, and says how many requests failed.
    pub(crate) async fn send(self: Arc<Self>, workers: u32) -> u32 {
        let mut working: JoinSet<()> = (0..workers).map(|worker| Arc::clone(&self).run(worker)).collect();
        while working.join_next().await.is_some() {}
        self.failed.load(Relaxed)
    }

    async fn run(self: Arc<Self>, worker: u32) {
        while let Some(body) = self.work.next(worker, self.began.elapsed()) {
            if self.call(body.clone()).await.is_ok_and(|status| status.is_success()) {
                self.work.answered(&body, self.began.elapsed());
            } else {
                self.failed.fetch_add(1, Relaxed);
            }
        }
    }

    async fn call(&self, body: String) -> Result<StatusCode> {
        let request = Request::post(&self.url).header("content-type", "application/json");
        let answer = self.client.request(request.body(Full::from(body))?).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        Ok(status)
    }
}
