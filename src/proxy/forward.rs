use std::task::{Context, Poll};

use http::{Request, StatusCode};
use tokio::time::Instant;
use tower::Service;

use super::failure::{Cause, Failure};
use super::passing::{Passed, Passing, Permitted, Routed, UnderWay};
use super::{Gate, headers, relay};
use crate::upstream::Failed;

/// Sends the request to the upstream.
#[derive(Clone)]
pub(super) struct Forward {
    gate: Gate,
}

impl Forward {
    pub(super) fn new(gate: &Gate) -> Self {
        Self { gate: gate.clone() }
    }
}

impl Service<Permitted> for Forward {
    type Response = Passed;
    type Error = Failure;
    type Future = Passing;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted) -> Passing {
        let gate = self.gate.clone();
        Box::pin(async move { gate.forward(permitted).await })
    }
}

impl Gate {
    /// Dropped at any time, the upstream's connection is closed, and the places end as they stand: unsent ones are
    /// given back.
    async fn forward(&self, Permitted { routed, permit, held }: Permitted) -> Result<Passed, Failure> {
        let waited = permit.waited;
        let (place, in_flight) = permit.split();
        let under_way = UnderWay { _in_flight: in_flight, _held: held };
        let Routed { arrived, route, .. } = routed;
        let mut request = Request::new(arrived.body);
        *request.method_mut() = arrived.head.method;
        *request.headers_mut() = arrived.head.headers;
        headers::for_upstream(request.headers_mut(), arrived.upgrade.is_some());
        let sent = Instant::now();
        let mut response = match self.shared.upstream.send(request, place, route.target).await {
            Ok(response) => response,
            Err(unanswered) => return Err(Failure::unanswered(unanswered, waited).await),
        };
        self.shared.usual.note(route.found.route(), sent.elapsed());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            headers::for_client(response.headers_mut());
            return Ok(Passed { response, under_way: Some(under_way), waited });
        }
        let Some(client) = arrived.upgrade else {
            return Err(Failure { cause: Cause::Upstream(Failed::Senseless("it switches protocols unasked")), waited });
        };
        relay::start(self, client, &mut response, under_way);
        Ok(Passed { response, under_way: None, waited })
    }
}
