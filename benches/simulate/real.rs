use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tidegate::config::{Config, Source};
use tidegate::gate::{self, Gate};
use tidegate_lab::mock::{Faults, Mock, Options};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::scene::{CONFIG, Comes, LATENCY, Scene, Stream};

/// What has come of it for real; waits are in milliseconds.
pub(crate) struct Met {
    pub(crate) mean: f64,
    pub(crate) p95: f64,
    pub(crate) refused: usize,
    /// What reached the upstream.
    pub(crate) calls: u64,
}

/// Somebody who sends, and notes what the gate says of the wait.
struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    gate: SocketAddr,
    began: Instant,
    ends: Instant,
    waits: Mutex<Vec<Option<f64>>>,
}

/// An upstream that is never full.
const ANYTHING: &str = "extends = \"none\"\n[pools.all]\nrequests = [\"1000000/s\"]\n[[routes]]\nmatch = \"* /v1/{*rest}\"\npools = [\"all\"]";

/// Sends it all, through sockets.
pub(crate) async fn run(scene: &Scene) -> Result<Met> {
    let config = |text: &str| Config::parse(&Source::Text("bench".to_owned()), text);
    let faults = Faults { latency: LATENCY, ..Faults::default() };
    let mock = Mock::new(&config(ANYTHING)?.settings(), Options { faults, ..Options::default() });
    let (listener, address) = bind().await?;
    tokio::spawn(mock.clone().run(listener, std::future::pending()));
    let mut config = config(CONFIG)?;
    config.upstream.set_url(&format!("http://{address}")).map_err(anyhow::Error::msg)?;
    let (listener, gate) = bind().await?;
    tokio::spawn(gate::run(Gate::start(&config)?, listener, Duration::ZERO, std::future::pending()));
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let (client, began) = (Client::builder(TokioExecutor::new()).build(connector), Instant::now());
    let sender = Sender { client, gate, began, ends: began + scene.lasts, waits: Mutex::default() };
    let sender = Arc::new(sender);
    let mut streams: JoinSet<Result<()>> =
        scene.streams.iter().map(|stream| Arc::clone(&sender).send(stream.clone())).collect();
    while let Some(sent) = streams.join_next().await {
        sent??;
    }
    let waits = sender.waits.lock().unwrap_or_else(PoisonError::into_inner);
    let mut waited: Vec<f64> = waits.iter().copied().flatten().collect();
    waited.sort_by(f64::total_cmp);
    let p95 =
        waited.get((waited.len() * 95).div_ceil(100).saturating_sub(1)).copied().context("nobody was answered")?;
    let mean = waited.iter().sum::<f64>() / f64::from(u32::try_from(waited.len())?);
    Ok(Met { mean, p95, refused: waits.len() - waited.len(), calls: mock.stats().admitted })
}

async fn bind() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

impl Sender {
    async fn send(self: Arc<Self>, Stream { request, comes }: Stream) -> Result<()> {
        let mut tasks = JoinSet::new();
        match comes {
            Comes::Evenly(rate) => {
                let mut times = (0..).map(|nth| self.began + Duration::from_secs(1) * nth / rate);
                while let Some(next) = times.next().filter(|&next| next < self.ends) {
                    sleep_until(next).await;
                    tasks.spawn(Arc::clone(&self).ask(request));
                }
            }
            Comes::AtOnce(count, after) => {
                sleep_until(self.began + Duration::from_secs(after.into())).await;
                (0..count).for_each(|_| drop(tasks.spawn(Arc::clone(&self).ask(request))));
            }
            Comes::Workers(count, pause) => {
                (0..count)
                    .for_each(|_| drop(tasks.spawn(Arc::clone(&self).work(request, Duration::from_millis(pause)))));
            }
        }
        while let Some(asked) = tasks.join_next().await {
            asked??;
        }
        Ok(())
    }

    async fn work(self: Arc<Self>, request: &'static str, pause: Duration) -> Result<()> {
        while Instant::now() < self.ends {
            Arc::clone(&self).ask(request).await?;
            sleep(pause).await;
        }
        Ok(())
    }

    async fn ask(self: Arc<Self>, request: &'static str) -> Result<()> {
        let (method, path) = request.split_once(' ').context("a method and a path")?;
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.gate));
        let body = if method == "POST" { "{}" } else { "" };
        let answer = self.client.request(request.body(Full::from(body))?).await?;
        let is_gates = answer.headers().get("x-tidegate-source").is_some_and(|source| source == "tidegate");
        let waited = answer.headers().get("x-tidegate-wait-ms").and_then(|wait| wait.to_str().ok()?.parse().ok());
        answer.into_body().collect().await?;
        let waited = waited.filter(|_| !is_gates);
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(waited);
        Ok(())
    }
}
