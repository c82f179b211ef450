use std::sync::Arc;
use std::time::{Duration, Instant};

use super::traffic::{ClientGroup, RequestTemplate};
use crate::coalesce::{Board, Found, Key, MOST, Payer, Polls, Ticket, wants_its_own};
use crate::limit::PoolId;
use crate::route::{Ask, RouteId, resources};
use crate::settings::{CoalesceSettings, Settings};

/// Which calls are under way, which answers still serve, and what is polled, as the gate has it.
pub(super) struct Sharing<'c> {
    settings: &'c Settings,
    board: Board<usize, ()>,
    polls: Polls<Paying>,
}

/// A pool instance that pays for polls.
pub(super) type Paying = (PoolId, Option<Box<str>>);

/// What one call asks for that others may ask for as well.
pub(super) struct Shareable {
    resource: String,
    key: Key,
    how: CoalesceSettings,
}

/// How a request has its answer.
pub(super) enum Role {
    /// By a call that nobody shares.
    Alone,
    /// By a call that others may join.
    Leads(Lead),
    /// By this call.
    Joins(usize),
    /// By an answer that has just come.
    Reuses,
}

/// A call that others may join.
pub(super) struct Lead {
    ticket: Ticket,
    key: Key,
    reuse: Duration,
    /// When the call for the same before it began.
    before: Option<Instant>,
    /// The board holds what is wanted only.
    _wanted: Arc<usize>,
}

impl<'c> Sharing<'c> {
    pub(super) fn new(settings: &'c Settings) -> Self {
        Self { settings, board: Board::new(MOST), polls: Polls::new(MOST) }
    }

    /// What a request asks for, if others may ask the same.
    pub(super) fn shareable(&self, route: RouteId, kind: &RequestTemplate, target: &str) -> Option<Shareable> {
        let how = *self.settings.coalesce.get(&route).filter(|_| kind.method == "GET")?;
        let query = target.split_once('?').map_or("", |(_, query)| query);
        if !kind.sender.body.is_empty() || wants_its_own(query, kind.sender.headers()) {
            return None;
        }
        let [resource] = &resources(path_of(target))[..] else { return None };
        Some(Shareable { resource: resource.clone(), key: key(target, &kind.sender), how })
    }

    /// Notes that this is asked for, and says how far apart calls for it are.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        asked: &Shareable,
        sender: &ClientGroup,
        payers: &[Payer<Paying>],
    ) -> Duration {
        self.polls.ask(now, asked.key, payers, sender.is_poll_helper())
    }

    /// How the call of this number has its answer.
    pub(super) fn role(&mut self, now: Instant, Shareable { resource, key, how }: &Shareable, call: usize) -> Role {
        match self.board.find(now, resource, key, how.reuse) {
            Some(Found::Flying(leader)) => Role::Joins(*leader),
            Some(Found::Landed(())) => Role::Reuses,
            None if !self.board.has_room() => Role::Alone,
            None => {
                let wanted = Arc::new(call);
                let ticket = self.board.begin(resource, key, &wanted);
                Role::Leads(Lead { ticket, key: *key, reuse: how.reuse, before: None, _wanted: wanted })
            }
        }
    }

    /// How long a call that is to begin now must wait, so that polls keep to their share.
    pub(super) fn pace(
        &self,
        now: Instant,
        asked: &Shareable,
        every: Duration,
        patience: Option<Duration>,
    ) -> Duration {
        self.polls.wait(now, asked.key, every, patience)
    }

    /// A call that others may join begins.
    pub(super) fn begins(&mut self, now: Instant, lead: &mut Lead) {
        lead.before = self.polls.call(now, lead.key);
    }

    /// What a request changes; nothing where nothing is shared.
    pub(super) fn changed_by(&self, kind: &RequestTemplate, target: &str) -> Vec<String> {
        let is_safe = ["GET", "HEAD", "OPTIONS"].contains(&&*kind.method);
        if is_safe || self.settings.coalesce.is_empty() { Vec::new() } else { resources(path_of(target)).into_vec() }
    }

    pub(super) fn wrote(&mut self, changed: &[String]) {
        changed.iter().for_each(|path| self.board.wrote(path));
    }

    /// The answer has come, and may say that nothing more will change; it serves until it is forgotten, if that is to be
    /// later.
    pub(super) fn land(&mut self, now: Instant, lead: Lead, is_last: bool) -> Option<(Instant, Ticket)> {
        if is_last {
            self.polls.end(lead.key);
        }
        if !lead.reuse.is_zero() && self.board.land(now, &lead.ticket, ()) {
            return Some((now + lead.reuse, lead.ticket));
        }
        self.board.forget(&lead.ticket);
        None
    }

    pub(super) fn forget(&mut self, ticket: &Ticket) {
        self.board.forget(ticket);
    }

    /// The call was refused by the gate: another one goes.
    pub(super) fn refuse(&mut self, lead: &Lead) {
        self.polls.refused(lead.key, lead.before);
        self.board.forget(&lead.ticket);
    }

    /// The call is of no use to others.
    pub(super) fn lose(&mut self, lead: &Lead) {
        self.board.forget(&lead.ticket);
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

/// Who is told apart by a name shares as little as who is told apart by a credential.
fn key(target: &str, sender: &ClientGroup) -> Key {
    let client = sender.client.iter().map(|client| ("authorization", client.as_bytes()));
    Key::new(target, sender.headers().chain(client))
}
