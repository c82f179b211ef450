//! The way through a gate without its sockets: admission, the route table and what answers are understood to mean are the
//! gate's own, and the endpoints those of the stand-in. Nothing here waits for anything but tokio's clock, so a paused one
//! goes from one event to the next.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tidegate::admin::AdminState;
use tidegate::admission::{Acceptance, AdmissionRequest, InFlight, Permit};
use tidegate::client::{Clients, Sender};
use tidegate::config::Config;
use tidegate::gate::Gate;
use tidegate::hints::{Meanings, RefusalCause, UpstreamResponse, UsageReader, allowances, classify_refusal, is_gone};
use tidegate::route::{self, Asks, Facts, Found};
use tidegate_lab::mock::Mock;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

/// Since the Unix epoch, for answers that name a date. None does.
const NOW: Duration = Duration::ZERO;

/// Where all of them are.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) struct Bare {
    gate: Gate,
    clients: Clients,
    config: Config,
    upstream: Router,
    /// What the network takes at least, and how much more by chance, there and back each.
    network: (Duration, Duration),
    chance: Mutex<fastrand::Rng>,
}

/// What has come of a request.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// How long it waited for its turns.
    pub(crate) waited: Duration,
}

impl Bare {
    /// To this upstream; the chance of the network starts with the seed.
    pub(crate) fn new(config: Config, upstream: &Mock, network: (Duration, Duration), seed: u64) -> Self {
        Self {
            gate: Gate::start(&config).expect("a gate"),
            clients: Clients::new(&config.clients),
            config,
            upstream: upstream.clone().endpoints(),
            network,
            chance: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    /// What people see of it from now on.
    pub(crate) fn watched(&self) -> AdminState {
        AdminState::new(&self.config, self.gate.clone())
    }

    /// As `gate::stack` has it, in short: a request asks for its turn, goes, and asks again if the upstream refuses it.
    /// Nothing comes of one that the gate refuses.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Option<Answered> {
        let (found, asks) = self.asks(&request).await;
        let (mut again, mut waited) = (None, Duration::ZERO);
        loop {
            let asked = Instant::now();
            let client = self.clients.identify(Sender { headers: request.headers(), query: None, peer: HERE });
            let applicant =
                AdmissionRequest { client, route: found.route(), position: again, ..AdmissionRequest::default() };
            let permit = self.gate.admission().acquire(&asks, applicant).await.ok()?;
            waited += asked.elapsed();
            again = Some(permit.again);
            if let Some(status) = self.go(&request, permit).await {
                return Some(Answered { status, waited });
            }
        }
    }

    async fn asks(&self, request: &Request<Full<Bytes>>) -> (Found, Asks) {
        let routes = &self.config.routes;
        let found = routes.find(request.method().as_str(), request.uri().path());
        let body = request.body().clone().collect().await.expect("it is at hand").to_bytes();
        let seen = Seen { headers: request.headers(), body: route::Body::read(&body, Some("application/json")) };
        let asks = routes.asks(&found, &seen);
        (found, asks)
    }

    /// Goes once; nothing if it is to go again.
    async fn go(&self, request: &Request<Full<Bytes>>, permit: Permit) -> Option<StatusCode> {
        let (place, in_flight) = permit.split();
        let sent_at = Instant::now().into_std();
        place.sent();
        sleep(self.network()).await;
        let answer = self.upstream.clone().oneshot(request.clone().map(Body::new)).await.expect("it never fails");
        sleep(self.network()).await;
        let status = answer.status();
        (!classify(answer, in_flight, sent_at).await).then_some(status)
    }

    fn network(&self) -> Duration {
        let (least, more) = self.network;
        least + more.mul_f64(self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }
}

/// Tells admission what came back; whether it was a refusal after which waiting helps.
async fn classify(answer: Response, mut in_flight: InFlight, sent_at: std::time::Instant) -> bool {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("it never breaks off").to_bytes();
    let answer = UpstreamResponse { status: head.status.as_u16(), headers: &head.headers, body: &body, now: NOW };
    if let Some(pushback) = classify_refusal(&answer, &Meanings::default()) {
        in_flight.refused(sent_at, &pushback);
        return matches!(pushback.cause, RefusalCause::Limit | RefusalCause::Ramp | RefusalCause::Overload);
    }
    let acceptance = Acceptance { allowances: allowances(&head.headers, NOW), is_gone: is_gone(&answer) };
    let mut usage = UsageReader::default();
    usage.push(&body);
    in_flight.end(sent_at, Some(&acceptance), usage.total());
    false
}

struct Seen<'r> {
    headers: &'r HeaderMap,
    body: Option<route::Body<'r>>,
}

impl Facts for Seen<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }

    fn body(&self) -> Option<&route::Body<'_>> {
        self.body.as_ref()
    }
}
