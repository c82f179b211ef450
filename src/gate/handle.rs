//! One request, from its head to the head of its response. Read it from the top: every step is called from here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::{Response, Version};
use hyper::Request;
use hyper::body::Incoming;

use super::answer::Answer;
use super::failure::Failure;
use super::headers::is_last_hop;
use super::peer::Peer;
use super::progress::Progress;
use super::record::RequestRecord;
use super::request::ClientRequest;
use super::response::{GateBody, respond};
use super::state::Gate;
use super::untaken::Untaken;
use crate::refusal::Code;

impl Gate {
    /// Answers one request. Dropped at any time, the client has left: the request leaves the queue, or the upstream's
    /// connection is closed.
    pub(super) fn handle(
        &self,
        request: Request<Incoming>,
        peer: &Arc<Peer>,
    ) -> impl Future<Output = Response<GateBody>> + Send + use<> {
        let request = ClientRequest::read(self, request, peer);
        let mut record = RequestRecord::start(self, &request);
        let (leaves_http, is_stream) = (request.leaves_http(), request.head.version == Version::HTTP_2);
        async move {
            let (gate, progress) = record.on_the_way();
            // A panic ends this request, not its connection.
            let answer = AssertUnwindSafe(gate.answer(request, progress)).catch_unwind().await;
            let mut response = respond(answer.unwrap_or(Err(Failure::Panicked)), record, leaves_http);
            if is_stream {
                response.body_mut().follow(Untaken::of_stream());
            }
            response
        }
    }

    async fn answer(&self, mut request: Box<ClientRequest>, progress: &mut Progress) -> Result<Answer, Failure> {
        if let Err(failure) = self.check(&mut request) {
            return Err(Box::pin(request.reject(failure)).await);
        }
        if let Some(get) = self.shareable(&request) {
            // Boxed, as are all ways that few requests take: the others should not carry their size.
            return Box::pin(self.share(request, get, progress)).await;
        }
        // A write may change what GETs share: when it is sent, and until its response is here.
        let write = self.write_of(&request);
        if let Some(every) = self.keepalive_of(&request) {
            return Box::pin(self.keep_alive(request, every, write, progress)).await;
        }
        self.attempt(&mut request, progress).await.map(Answer::Upstream)
    }

    /// Refuses what must never wait in the queue.
    fn check(&self, request: &mut ClientRequest) -> Result<(), Failure> {
        if self.upstream.adds_key() {
            let (target, upgrades) = (request.head.uri.authority(), request.upgrade.is_some());
            self.allowed_hosts.check(target, &request.head.headers, upgrades).map_err(Failure::Stranger)?;
        }
        if let Some(quota) = &self.quota {
            match quota.check(request.client) {
                Err(_) if self.only_observes() => {
                    request.is_refused = true;
                    self.would_refuse_for(request.route(), (None, Code::ClientQuota.as_str()));
                }
                Err(retry_after) => return Err(Failure::ClientQuota { rate: quota.rate(), retry_after }),
                Ok(()) => {}
            }
        }
        if request.is_connect() {
            return Err(Failure::Tunnel);
        }
        if request.is_misdirected() {
            return Err(Failure::Misdirected);
        }
        if request.found.is_mixed() {
            return Err(Failure::Disguised);
        }
        if is_last_hop(&request.head.method, &request.head.headers) {
            return Err(Failure::LastHop);
        }
        if self.hops.have_passed(&request.head.headers) {
            return Err(Failure::Loop);
        }
        Ok(())
    }
}
