use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::alone::alone;
use bytes::Bytes;
use clap::Parser;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tidegate::admin::{self, AdminState, Status};
use tidegate::config::{Config, Source};
use tidegate::gate::{self, Gate};
use tidegate_lab::mock::{Mock, Options};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::{self, Clock, in_time, real_sleep};

/// What no page may show.
pub(crate) const KEY: &str = "sk-canary-key-4711";
pub(crate) const BODY: &str = "canary-body-4712";

/// How long the upstream takes for the first answer of all, and the pool `slow` for the next turn.
pub(crate) const LATENCY: Duration = Duration::from_millis(20);
pub(crate) const TURN: Duration = Duration::from_secs(2);

/// Every kind of pool: requests and tokens of a model, one that is full at once, one in flight, one that shares calls.
pub(crate) const POOLS: &str = r#"
[pools.chat]
requests = ["1000/min"]
tokens = ["100000/min"]
key = ["body.model"]

[pools.few]
requests = ["2/h"]
max_wait = "1s"

[pools.slow]
requests = ["1/2s"]
margin = "0s"

[pools.calm]
requests = ["1000/s"]
in_flight = 50

[[routes]]
match = "POST /v1/chat/completions"
pools = ["chat"]

[[routes]]
match = "POST /v1/threads"
pools = ["few"]

[[routes]]
match = "POST /v1/batches"
pools = ["slow"]

[[routes]]
match = "GET /v1/vector_stores/{id}"
pools = ["calm"]
coalesce = true
reuse = "1m"
"#;

/// A gate with its pages, before a stand-in for the upstream, and a clock that is stopped.
pub(crate) struct Desk {
    pub(crate) clock: Clock,
    pub(crate) gate: Gate,
    mock: Mock,
    upstream: SocketAddr,
    address: SocketAddr,
    admin: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    _served: JoinSet<()>,
}

#[derive(Parser)]
struct MockLine {
    #[command(flatten)]
    options: Options,
}

impl Desk {
    pub(crate) async fn open(config: &str) -> Self {
        Self::before(config, &[]).await
    }

    /// The same with an upstream that cannot be reached.
    pub(crate) async fn before_nothing(config: &str) -> Self {
        let (closed, upstream) = listen().await;
        drop(closed);
        Self::towards(config, &[], &format!("http://{upstream}")).await
    }

    /// The same before a stand-in with these options.
    pub(crate) async fn before(config: &str, options: &[&str]) -> Self {
        Self::towards(config, options, "").await
    }

    /// The same with the upstream at this URL; without one it is the stand-in.
    pub(crate) async fn towards(config: &str, options: &[&str], url: &str) -> Self {
        let clock = Clock::stop();
        let mut config =
            Config::parse(&Source::Text("test".to_owned()), &alone(config)).expect("a valid configuration");
        let ((upstream_listener, upstream), (listener, address), (admin_listener, admin)) =
            (listen().await, listen().await, listen().await);
        let url = if url.is_empty() { format!("http://{upstream}") } else { url.to_owned() };
        config.upstream.set_url(&url).expect("a URL");
        // The stand-in has more than the gate takes, so that nothing is refused which is not told to be.
        let wide = Config::parse(&Source::Text("wide".to_owned()), "extends = \"none\"").expect("it is valid");
        let mock = Mock::new(&wide.settings(), MockLine::parse_from([&["mock"], options].concat()).options);
        let gate = Gate::start(&config).expect("a gate");
        let (watched, serves) = (AdminState::new(&config, gate.clone()), mock.clone());
        let (serving, mut served) = (gate::run(gate.clone(), listener, Duration::ZERO, pending()), JoinSet::new());
        served.spawn(async move { serves.run(upstream_listener, pending()).await.expect("it serves") });
        served.spawn(async move { serving.await.expect("it serves") });
        served.spawn(async move { admin::run(Arc::new(watched), admin_listener, pending()).await.expect("it serves") });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { clock, gate, mock, upstream, address, admin, client, _served: served }
    }

    /// Asks the gate, as an app would.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> StatusCode {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        let request =
            request.header("authorization", format!("Bearer {KEY}")).header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, &(name, value)| request.header(name, value));
        let answer = self.client.request(request.body(body.to_owned().into()).expect("a request"));
        let answer = in_time("in time", answer).await.expect("an answer");
        let status = answer.status();
        answer.into_body().collect().await.expect("its body");
        status
    }

    /// Asks for a chat with this model.
    pub(crate) async fn chat(&self, model: &str) -> StatusCode {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": BODY }] });
        self.ask("POST", "/v1/chat/completions", &[], &body.to_string()).await
    }

    /// Some of everything: answers, refusals of both sides, waits, shared calls.
    pub(crate) async fn traffic(&self) {
        self.weather(r#"{"latency": "20ms"}"#).await;
        let slow = async {
            clock::until("it is with the upstream", || self.mock.stats().admitted == 1).await;
            self.clock.step(LATENCY).await;
        };
        assert_eq!(tokio::join!(self.chat("gpt-4o"), slow).0, StatusCode::OK);
        self.weather(r#"{"latency": "0ms"}"#).await;
        assert_eq!(self.chat("gpt-4o-mini").await, StatusCode::OK);
        for expected in [200, 200, 429] {
            assert_eq!(self.ask("POST", "/v1/threads", &[], "{}").await, expected, "threads");
        }
        for _ in 0..2 {
            self.ask("GET", "/v1/vector_stores/vs_1", &[], "").await;
        }
        self.weather(r#"{"refuse": "insufficient-quota"}"#).await;
        assert_eq!(self.chat("gpt-4o").await, StatusCode::TOO_MANY_REQUESTS);
        self.weather(r#"{"refuse": "none"}"#).await;
        self.ask("POST", "/v1/batches", &[], "{}").await;
        tokio::join!(self.ask("POST", "/v1/batches", &[], "{}"), self.turn(1));
    }

    /// Once so many wait for their turn at `/v1/batches`, it comes.
    pub(crate) async fn turn(&self, waiting: usize) {
        let snapshot = || self.gate.admission().snapshot();
        clock::until("they wait", || snapshot().waiting == waiting).await;
        self.clock.step(TURN).await;
        clock::until("the first goes", || snapshot().waiting == waiting - 1).await;
    }

    pub(crate) async fn weather(&self, step: &str) {
        let request = Request::post(format!("http://{}/__mock/step", self.upstream));
        let answer = self.client.request(request.body(step.to_owned().into()).expect("a request")).await;
        assert!(answer.expect("an answer").status().is_success(), "{step}");
    }

    /// What is at this path of the admin port.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.client.get(format!("http://{}{path}", self.admin).parse().expect("a URL")).await;
        let body = answer.expect("an answer").into_body().collect().await.expect("its body").to_bytes();
        String::from_utf8(body.to_vec()).expect("a text")
    }

    pub(crate) async fn status(&self) -> Status {
        serde_json::from_str(&self.page("/status").await).expect("a status")
    }

    /// The status once it is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let look = async {
            loop {
                let status = self.status().await;
                if is_so(&status) {
                    return status;
                }
                real_sleep(Duration::from_millis(5)).await;
            }
        };
        in_time(what, look).await
    }

    /// The answer to a GET at the admin port, to be read as it comes.
    pub(crate) async fn listen(&self, path: &str) -> hyper::body::Incoming {
        let answer = self.client.get(format!("http://{}{path}", self.admin).parse().expect("a URL")).await;
        answer.expect("an answer").into_body()
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}
