use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Clients that send the same request again and again, each once it has its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crowd {
    clients: u32,
    method: String,
    path: String,
    #[serde(default)]
    body: String,
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

impl Crowd {
    /// They end when this is dropped.
    pub(crate) fn start(self, gate: SocketAddr) -> JoinSet<()> {
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        (0..self.clients).map(|number| self.clone().go(number, client.clone(), gate)).collect()
    }

    async fn go(self, number: u32, client: Client<HttpConnector, Full<Bytes>>, gate: SocketAddr) {
        sleep(self.after + self.pause * number / self.clients).await;
        for _ in 0..self.times {
            let request = Request::builder().method(&*self.method).uri(format!("http://{gate}{}", self.path));
            let request = request.header("authorization", format!("Bearer {number}"));
            let request = request.header("content-type", "application/json").body(self.body.clone().into());
            if let Ok(answer) = client.request(request.expect("a request")).await {
                drop(answer.into_body().collect().await);
            }
            sleep(self.pause).await;
        }
    }
}

/// What is at this path.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Bytes {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.get(format!("http://{address}{path}").parse().expect("a URL")).await.expect("an answer");
    answer.into_body().collect().await.expect("its body").to_bytes()
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
