use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bare::Bare;

/// Clients that send the same request again and again, each once it has its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crowd {
    clients: u32,
    method: String,
    path: String,
    #[serde(default)]
    body: String,
    /// The API key of all of them; each has its own if nothing.
    key: Option<String>,
    /// How long each is quiet after an answer.
    #[serde(with = "time")]
    pause: Duration,
    /// When they begin.
    #[serde(default, with = "time")]
    after: Duration,
    /// How many each of them sends.
    #[serde(default = "forever")]
    times: u32,
}

fn forever() -> u32 {
    u32::MAX
}

/// What a request of a client goes through, to the last byte of its answer.
pub(crate) trait Way: Send + Sync + 'static {
    fn ask(&self, request: Request<Full<Bytes>>) -> impl Future<Output = ()> + Send;
}

impl Way for Bare {
    async fn ask(&self, request: Request<Full<Bytes>>) {
        let _answered = self.ask(request).await;
    }
}

impl Crowd {
    /// They end when this is dropped.
    pub(crate) fn start(&self, way: &Arc<impl Way>) -> JoinSet<()> {
        (0..self.clients).map(|number| self.clone().go(number, Arc::clone(way))).collect()
    }

    async fn go(self, number: u32, way: Arc<impl Way>) {
        sleep(self.after + self.pause * number / self.clients).await;
        let key = self.key.unwrap_or_else(|| number.to_string());
        for _ in 0..self.times {
            let request = Request::builder().method(&*self.method).uri(&self.path);
            let request = request.header("authorization", format!("Bearer {key}"));
            let request = request.header("content-type", "application/json").body(self.body.clone().into());
            way.ask(request.expect("a request")).await;
            sleep(self.pause).await;
        }
    }
}

/// A span of time, as in `"3s"`.
pub(crate) mod time {
    use std::time::Duration;

    use serde::Deserialize;
    use serde::de::{Deserializer, Error};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}
