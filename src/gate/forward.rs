use std::mem;

use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, Request, Response, StatusCode};

use super::admit::Admitted;
use super::exchange::{Exchange, ResponseMeter, says_why_in_its_body};
use super::failure::Failure;
use super::progress::Progress;
use super::request::ClientRequest;
use super::state::Gate;
use super::websocket::WebSocketTurns;
use super::{headers, relay};
use crate::upstream::{Failed, Prefetched, ResponseBody};

/// A response, and whether its request can be sent again.
pub(super) struct Forwarded {
    pub(super) exchange: Exchange,
    pub(super) can_resend: bool,
}

impl Gate {
    /// Sends the request to the upstream, once, and waits for the head of the response.
    ///
    /// Dropped at any time, the upstream's connection is closed. Places in windows are committed as the request's head is
    /// written; those of a request that was never written are refunded.
    pub(super) async fn forward(
        &self,
        request: &mut ClientRequest,
        Admitted { permit, slot, position, observed, .. }: Admitted,
        progress: &mut Progress,
    ) -> Result<Forwarded, Failure> {
        let (place, in_flight) = permit.split();
        let turns = WebSocketTurns::of(self, request);
        let (mut outgoing, can_resend) = self.outgoing(request, position.is_some());
        if turns.is_some() {
            // Compressed messages could not be read.
            outgoing.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
        }
        let sent = progress.sent();
        let mut meter = Box::new(ResponseMeter::new(in_flight, slot, observed, sent.into_std()));
        if let Some(trace) = &request.trace {
            trace.sent(sent);
        }
        let mut answered = self.upstream.send(outgoing, Some(place), request.target.clone()).await;
        if can_resend && matches!(&answered, Err(unanswered) if unanswered.is_unsent) {
            // The upstream has seen nothing of it, so its place holds.
            let (outgoing, _) = self.outgoing(request, true);
            answered = Box::pin(self.upstream.send(outgoing, None, request.target.clone())).await;
        }
        if let Some(trace) = &request.trace {
            trace.answered(answered.as_ref().ok().map(|response| response.status().as_u16()));
        }
        let mut response = match answered {
            Ok(response) => response,
            Err(unanswered) => return Err(Failure::unanswered(unanswered).await),
        };
        if says_why_in_its_body(response.status()) {
            headers::for_client(response.headers_mut());
            return Ok(Forwarded { exchange: Exchange::new(response, meter), can_resend });
        }
        self.typical_latency.record(request.route(), sent.elapsed());
        meter.accept(response.headers(), false);
        let is_switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_switching || !response.body().is_complete() {
            meter.report();
        }
        if is_switching {
            let exchange = self.switch_protocols(request, response, meter, turns)?;
            return Ok(Forwarded { exchange, can_resend: false });
        }
        meter.read_body(response.headers(), self.routes.route(request.route()).is_metered);
        headers::for_client(response.headers_mut());
        Ok(Forwarded { exchange: Exchange::new(response, meter), can_resend: false })
    }

    /// The request as the upstream gets it, and whether what is left of it here can be sent again. The body is shared, not
    /// copied.
    fn outgoing(&self, request: &mut ClientRequest, is_paced: bool) -> (Request<Prefetched>, bool) {
        let ClientRequest { head, body, upgrade, .. } = request;
        let may_keep = body.whole().is_some_and(<[u8]>::is_empty) || self.bodies.has_plenty();
        let kept = (is_paced && may_keep).then(|| body.share()).flatten();
        let can_resend = kept.is_some();
        let mut outgoing = Request::new(mem::replace(body, kept.unwrap_or_default()));
        *outgoing.method_mut() = head.method.clone();
        // What goes on has the room that answers need; what is kept is copied to its size.
        let kept = if can_resend { head.headers.clone() } else { HeaderMap::new() };
        *outgoing.headers_mut() = mem::replace(&mut head.headers, kept);
        headers::for_upstream(&head.method, outgoing.headers_mut(), upgrade.is_some());
        self.hops.add_to(outgoing.headers_mut());
        (outgoing, can_resend)
    }

    /// From here on the connection carries a WebSocket; its request is in flight until that ends.
    fn switch_protocols(
        &self,
        request: &mut ClientRequest,
        mut response: Response<ResponseBody>,
        meter: Box<ResponseMeter>,
        turns: Option<Box<WebSocketTurns>>,
    ) -> Result<Exchange, Failure> {
        let Some(client) = request.upgrade.take() else {
            return Err(Failure::Upstream(Failed::Senseless("it switches protocols unasked")));
        };
        relay::start(self, client, &mut response, meter, turns);
        Ok(Exchange::relayed(response))
    }
}
