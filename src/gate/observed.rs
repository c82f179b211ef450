//! Observe mode: requests go at once, and the scheduler plays what it would have done with them.
//!
//! A request that would have waited leaves a double in the queue. When its turn comes, the double takes the places that the
//! request would have had then, for as long as the request was really under way.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::observed_request::{ObservedEnd, ObservedRequest};
use super::outcome::millis;
use super::state::Gate;
use super::stats::RefusalKey;
use crate::admission::{Acceptance, AdmissionRequest, Permit, Refusal, Turn};
use crate::refusal::Code;
use crate::route::{Asks, RouteId};

impl Gate {
    /// Plays what observed pools would do with a request, which goes now. A permit that they give at once is its own.
    pub(super) fn observe(
        &self,
        asks: &Asks,
        admission: AdmissionRequest,
        is_alone: bool,
    ) -> (Option<Permit>, Option<ObservedRequest>) {
        let route = admission.route;
        match self.admission.request(asks, admission) {
            Ok(Turn::Now(permit)) if is_alone => (Some(permit), None),
            Ok(turn) => {
                let (observed, ended) = ObservedRequest::start();
                tokio::spawn(self.clone().play(route, turn, ended));
                (None, Some(observed))
            }
            Err(refusal) => {
                self.would_refuse(route, &refusal);
                (None, None)
            }
        }
    }

    /// A request that would have been refused for another reason than a pool's.
    pub(super) fn would_refuse_for(&self, route: RouteId, refused: RefusalKey) {
        let Some(observer) = &self.observer else { return };
        observer.would_refuse(route, refused);
        let pool = refused.0.map(|pool| &*self.pools[pool.0].name);
        tracing::info!(route = self.routes.route(route).name, pool, code = refused.1, "observed: would be refused");
    }

    fn would_refuse(&self, route: RouteId, refusal: &Refusal) {
        if refusal.reason.code() != Code::Draining {
            self.would_refuse_for(route, (refusal.reason.pool(), refusal.reason.code().as_str()));
        }
    }

    fn would_wait(&self, route: RouteId, wait: Duration) {
        let Some(observer) = &self.observer else { return };
        let is_long = observer.would_wait(route, wait);
        let (route, wait_ms) = (&*self.routes.route(route).name, millis(wait));
        if is_long {
            tracing::info!(route, wait_ms, "observed: would have waited");
        } else {
            tracing::debug!(route, wait_ms, "observed: would have waited");
        }
    }

    /// A request's double, from the queue to the end of the response that would have been.
    async fn play(self, route: RouteId, turn: Turn, ended: oneshot::Receiver<ObservedEnd>) {
        let asked = Instant::now();
        let permit = match turn {
            Turn::Now(permit) => permit,
            Turn::Queued(queued) => match queued.turn().await {
                Ok(permit) => {
                    self.would_wait(route, asked.elapsed());
                    permit
                }
                Err(refusal) => return self.would_refuse(route, &refusal),
            },
        };
        let (sent, (place, mut in_flight)) = (Instant::now(), permit.split());
        place.sent();
        drop(place);
        // One that was never sent has no end.
        let Ok(ObservedEnd { took, tokens }) = ended.await else { return };
        if !(sent + took).checked_duration_since(Instant::now()).unwrap_or_default().is_zero() {
            sleep_until(sent + took).await;
        }
        in_flight.end(sent.into_std(), Some(&Acceptance::default()), tokens);
    }
}
