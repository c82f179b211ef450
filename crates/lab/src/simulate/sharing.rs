use std::time::{Duration, Instant};

use super::traffic::{ClientGroup, RequestTemplate};
use crate::coalesce::{self, Call, Coalescer, MOST, Payer, PollAdvice, PolledStatus, Role, Terms, poll_helper};
use crate::limit::PoolId;
use crate::route::{Ask, Coalescing, RouteId, resources};
use crate::settings::Settings;

/// What the gate's own coalescer decides of simulated requests. It knows a call by the number of the request that leads it.
pub(super) struct Sharing<'c> {
    settings: &'c Settings,
    coalescer: Coalescer<Paying, usize, ()>,
    /// What a thing that is polled is until its work is done, and then.
    statuses: [PolledStatus; 2],
}

/// A pool instance that pays for polls.
pub(super) type Paying = (PoolId, Option<Box<str>>);

/// What one request asks for that others may ask for as well.
pub(super) struct Shareable {
    wanted: coalesce::Shareable,
    how: Coalescing,
}

impl<'c> Sharing<'c> {
    pub(super) fn new(settings: &'c Settings) -> Self {
        let statuses = ["in_progress", "completed"].map(PolledStatus::named);
        Self { settings, coalescer: Coalescer::new(MOST), statuses }
    }

    /// What a request asks for, if others may ask the same.
    pub(super) fn shareable(&self, route: RouteId, kind: &RequestTemplate, target: &str) -> Option<Shareable> {
        let how = self.settings.routes.route(route).coalesce;
        let how = how.filter(|_| kind.method == "GET" && kind.sender.body.is_empty())?;
        Some(Shareable { wanted: wanted(target, &kind.sender)?, how })
    }

    /// Notes that this is asked for.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        Shareable { wanted, .. }: &Shareable,
        sender: &ClientGroup,
        payers: &[Payer<Paying>],
    ) -> PollAdvice {
        self.coalescer.poll(now, wanted, payers, poll_helper(sender.headers()))
    }

    /// How the request of this number gets its answer, where calls are so far apart.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        Shareable { wanted, how }: &Shareable,
        every: Duration,
        patience: Option<Duration>,
        number: usize,
    ) -> Role<usize, ()> {
        self.coalescer.ask(now, wanted, Terms { reuse: how.reuse, every, patience }, || number)
    }

    /// A call that others may join asks for its turn.
    pub(super) fn begin(&mut self, now: Instant, call: &Call) {
        self.coalescer.begin(now, call);
    }

    /// What a request changes; nothing where nothing is shared.
    pub(super) fn changed_by(&self, kind: &RequestTemplate, target: &str) -> Vec<String> {
        let is_safe = ["GET", "HEAD", "OPTIONS"].contains(&&*kind.method);
        let shares = self.settings.routes.routes().any(|(_, route)| route.coalesce.is_some());
        if is_safe || !shares { Vec::new() } else { resources(path_of(target)).into_vec() }
    }

    /// A write begins, or has been answered.
    pub(super) fn invalidate(&mut self, changed: &[String]) {
        changed.iter().for_each(|resource| self.coalescer.invalidate(resource));
    }

    /// The answer has come; that to a poll may say that its work is done.
    pub(super) fn complete(&mut self, now: Instant, call: Call, is_done: Option<bool>) {
        let status = is_done.map(|is_done| &self.statuses[usize::from(is_done)]);
        self.coalescer.complete(now, call, (), true, status);
    }

    /// The call was refused by the gate: another one goes.
    pub(super) fn refused(&mut self, call: Call) {
        self.coalescer.refused(call);
    }

    /// The call is of no use to others.
    pub(super) fn fail(&mut self, call: Call) {
        self.coalescer.fail(call);
    }

    /// Forgets the answers that serve no longer.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.coalescer.handle_timeout(now);
    }
}

/// Which pool instance pays for this.
pub(super) fn paying(ask: &Ask) -> Paying {
    (ask.pool, ask.key.clone())
}

/// A target without its query.
pub(super) fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}

/// Requests that are told apart by a name share as little as those that are told apart by a credential.
fn wanted(target: &str, sender: &ClientGroup) -> Option<coalesce::Shareable> {
    let client = sender.client.iter().map(|client| ("authorization", client.as_bytes()));
    coalesce::Shareable::new(target, sender.headers().chain(client))
}
