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
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use tidegate::admission::{Again, Applicant, InFlight};
use tidegate::config::Config;
use tidegate::feedback::{Answer, Cause, Meanings, UsageReader, allowances, is_gone, understand};
use tidegate::proxy::{Clients, Gate};
use tidegate::route::{self, Asks, Facts, Found};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use super::crowd::Way;

/// What the network takes at least and at most, there and back each.
const NETWORK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(40));

/// Since the Unix epoch, for answers that name a date. None does.
const NOW: Duration = Duration::ZERO;

/// Where all of them are.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) struct Bare {
    gate: Gate,
    clients: Clients,
    config: Config,
    upstream: Router,
    chance: Mutex<fastrand::Rng>,
}

impl Way for Bare {
    /// As `proxy::stack` has it, in short: asks for its turn, goes, and asks again if the upstream refuses it.
    async fn ask(&self, request: Request<Full<Bytes>>) {
        let (found, asks) = self.asks(&request).await;
        let mut again = None;
        while let Some(place) = self.go(&request, &found, &asks, again).await {
            again = Some(place);
        }
    }
}

impl Bare {
    pub(crate) fn new(gate: Gate, config: Config, upstream: Router, seed: u64) -> Self {
        Self {
            gate,
            clients: Clients::new(&config.clients),
            config,
            upstream,
            chance: Mutex::new(fastrand::Rng::with_seed(seed)),
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

    /// Goes once; where it stands if it is to go again.
    async fn go(
        &self,
        request: &Request<Full<Bytes>>,
        found: &Found,
        asks: &Asks,
        again: Option<Again>,
    ) -> Option<Again> {
        let client = self.clients.identify(request.headers(), HERE);
        let applicant = Applicant { client, route: found.route(), again, ..Applicant::default() };
        let permit = self.gate.admission().acquire(asks, applicant).await.ok()?;
        let again = permit.again;
        let (place, in_flight) = permit.split();
        let sent_at = Instant::now().into_std();
        place.sent();
        sleep(self.network()).await;
        let answer = self.upstream.clone().oneshot(request.clone().map(Body::new)).await.expect("it never fails");
        sleep(self.network()).await;
        heed(answer, &in_flight, sent_at).await.then_some(again)
    }

    fn network(&self) -> Duration {
        let (least, most) = NETWORK;
        least + (most - least).mul_f64(self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }
}

/// Tells admission what came back; whether it was a refusal after which waiting helps.
async fn heed(answer: Response, in_flight: &InFlight, sent_at: std::time::Instant) -> bool {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("it never breaks off").to_bytes();
    let answer = Answer { status: head.status.as_u16(), headers: &head.headers, body: &body, now: NOW };
    if let Some(pushback) = understand(&answer, &Meanings::default()) {
        in_flight.refused(sent_at, &pushback);
        return matches!(pushback.cause, Cause::Limit | Cause::Ramp | Cause::Overload);
    }
    in_flight.accepted(sent_at, &allowances(&head.headers, NOW), is_gone(&answer));
    let mut usage = UsageReader::default();
    usage.push(&body);
    usage.total().into_iter().for_each(|tokens| in_flight.settle(sent_at, tokens));
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
