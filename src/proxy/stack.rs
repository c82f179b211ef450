use std::convert::Infallible;

use http::header::{AUTHORIZATION, HeaderName};
use http::{Request, Response};
use hyper::body::Incoming;
use tower::layer::layer_fn;
use tower::{Layer, Service, ServiceBuilder};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;

use super::Gate;
use super::admit::Admit;
use super::answer::{AnswerBody, Answers};
use super::classify::Classify;
use super::coalesce::Coalesce;
use super::forward::Forward;
use super::keepalive::KeepAlive;
use super::passing::{Arrived, Client};
use super::quota::CheckQuota;
use super::resend::SendAgain;

/// What no log may show, whoever prints a request's headers.
const SECRETS: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("api-key")];

/// The way of a request through the gate, outermost first.
pub(super) fn stack(
    gate: &Gate,
    client: Client,
) -> impl Service<Request<Incoming>, Response = Response<AnswerBody>, Error = Infallible, Future: Send> + Clone + Send + use<>
{
    ServiceBuilder::new()
        // Keys are marked before anything else can look at them.
        .layer(SetSensitiveRequestHeadersLayer::from_shared(SECRETS.into()))
        .map_request(move |request| Arrived::new(request, client.clone()))
        // Method and path say which route it is, and so which pools it takes from.
        .layer(step(gate, Classify::new))
        // Whatever comes back, answer, failure or panic, becomes one HTTP answer with one line in the log at its last byte.
        .layer(step(gate, Answers::new))
        // One client's code gone wild is refused at once, before it can fill the queue for the rest.
        .layer(step(gate, CheckQuota::new))
        // Of identical GETs one goes, where their route says so, at the pace that polling may have; the others have its answer.
        .layer(step(gate, Coalesce::new))
        // Who waits long for a stream may be answered before its turn, where its route says so.
        .layer(step(gate, KeepAlive::new))
        // What the upstream refuses goes back to its place, as long as waiting helps.
        .layer(step(gate, SendAgain::new))
        // Here it waits for a place in all of its pools.
        .layer(step(gate, Admit::new))
        // Its place is spent as its head is written; the answer carries what is in flight to its own last byte.
        .service(Forward::new(gate))
}

fn step<Inner, Step>(gate: &Gate, new: fn(Gate, Inner) -> Step) -> impl Layer<Inner, Service = Step> + Clone {
    let gate = gate.clone();
    layer_fn(move |inner| new(gate.clone(), inner))
}
