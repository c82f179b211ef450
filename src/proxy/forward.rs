use std::mem;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tokio::time::Instant;
use tower::Service;

use super::failure::{Cause, Failure};
use super::passing::{Arrived, Attempt, Attempting, Passed, Permitted, Routed, Tries};
use super::resend::is_looked_at;
use super::under_way::UnderWay;
use super::{Gate, headers, relay};
use crate::admission::Place;
use crate::upstream::{Failed, Prefetched, ResponseBody, Unanswered};

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
    type Response = Attempt;
    type Error = Failure;
    type Future = Attempting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted) -> Attempting {
        let gate = self.gate.clone();
        Box::pin(async move { gate.forward(permitted).await })
    }
}

impl Gate {
    /// Dropped at any time, the upstream's connection is closed, and the places end as they stand: unsent ones are
    /// given back.
    async fn forward(&self, Permitted { mut routed, permit, held }: Permitted) -> Result<Attempt, Failure> {
        let (place, in_flight) = permit.split();
        routed.arrived.waits(false);
        let (request, is_kept) = self.request(&mut routed);
        let sent = Instant::now();
        let tries = Tries { sent: routed.tries.sent + 1, sent_at: Some(sent), ..routed.tries };
        routed.tries = tries;
        let under_way = Box::new(UnderWay::new(in_flight, held, sent.into_std()));
        let mut response = match self.send(request, place, &routed, sent).await {
            Ok(response) => response,
            Err(unanswered) => return Err(Failure::unanswered(unanswered, tries).await),
        };
        if is_looked_at(response.status()) {
            headers::for_client(response.headers_mut());
            let passed = Passed { response: response.map(Into::into), under_way: Some(under_way), tries };
            return Ok(Attempt { passed, again: is_kept.then_some(routed) });
        }
        self.shared.usual.note(routed.route.found.route(), sent.elapsed());
        Ok(Attempt { passed: self.accept(response, routed, under_way)?, again: None })
    }

    async fn send(
        &self,
        request: Request<Prefetched>,
        place: Place,
        Routed { arrived, route, .. }: &Routed,
        now: Instant,
    ) -> Result<Response<ResponseBody>, Unanswered> {
        let sending = self.shared.upstream.send(request, place, route.target.clone());
        let Some(story) = &arrived.story else { return sending.await };
        story.sent(now);
        let answered = sending.await;
        story.came_back(answered.as_ref().ok().map(|response| response.status().as_u16()));
        answered
    }

    /// The request as it is sent, and whether what is left of it can be sent again. Of the body nothing is copied.
    fn request(&self, routed: &mut Routed) -> (Request<Prefetched>, bool) {
        let Arrived { head, body, upgrade, .. } = &mut *routed.arrived;
        let is_paced = routed.place.is_some();
        let may_keep = body.whole().is_some_and(<[u8]>::is_empty) || self.shared.bodies.has_plenty();
        let kept = (is_paced && may_keep).then(|| body.share()).flatten();
        let is_kept = kept.is_some();
        let mut request = Request::new(mem::replace(body, kept.unwrap_or_default()));
        *request.method_mut() = head.method.clone();
        *request.headers_mut() = if is_kept { head.headers.clone() } else { mem::take(&mut head.headers) };
        headers::for_upstream(request.headers_mut(), upgrade.is_some());
        (request, is_kept)
    }

    /// The upstream took the request: what it answers passes, or leaves HTTP.
    fn accept(
        &self,
        mut response: Response<ResponseBody>,
        routed: Routed,
        mut under_way: Box<UnderWay>,
    ) -> Result<Passed, Failure> {
        let (tries, route) = (routed.tries, routed.route.found.route());
        under_way.accepted(response.headers(), false);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            if self.shared.metered.contains(&route) {
                under_way.read_usage(response.headers());
            }
            headers::for_client(response.headers_mut());
            return Ok(Passed { response: response.map(Into::into), under_way: Some(under_way), tries });
        }
        let Some(client) = routed.arrived.upgrade else {
            return Err(Failure { cause: Cause::Upstream(Failed::Senseless("it switches protocols unasked")), tries });
        };
        relay::start(self, client, &mut response, under_way);
        Ok(Passed { response: response.map(Into::into), under_way: None, tries })
    }
}
