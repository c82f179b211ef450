use std::sync::Arc;
use std::time::{Duration, Instant};

use super::traffic::{Kind, Sender};
use crate::coalesce::{Board, Found, Key, MOST, Ticket};
use crate::config::Config;
use crate::route::{RouteId, resources};

/// Which calls are under way and which answers still serve, as the gate's board has it.
pub(super) struct Sharing<'c> {
    config: &'c Config,
    board: Board<usize, ()>,
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
    reuse: Duration,
    /// The board holds what is wanted only.
    _wanted: Arc<usize>,
}

impl<'c> Sharing<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        Self { config, board: Board::new(MOST) }
    }

    /// How the call of this number has its answer.
    pub(super) fn role(&mut self, now: Instant, route: RouteId, kind: &Kind, target: &str, call: usize) -> Role {
        let Some(&reuse) = self.config.coalesce.get(&route).filter(|_| kind.method == "GET") else {
            return Role::Alone;
        };
        let [resource] = &resources(path_of(target))[..] else { return Role::Alone };
        let key = key(target, &kind.sender);
        match self.board.find(now, resource, &key, reuse) {
            Some(Found::Flying(leader)) => Role::Joins(*leader),
            Some(Found::Landed(())) => Role::Reuses,
            None if !self.board.has_room() => Role::Alone,
            None => {
                let wanted = Arc::new(call);
                Role::Leads(Lead { ticket: self.board.begin(resource, &key, &wanted), reuse, _wanted: wanted })
            }
        }
    }

    /// What a request changes; nothing where nothing is shared.
    pub(super) fn changed_by(&self, kind: &Kind, target: &str) -> Vec<String> {
        let is_safe = ["GET", "HEAD", "OPTIONS"].contains(&&*kind.method);
        if is_safe || self.config.coalesce.is_empty() { Vec::new() } else { resources(path_of(target)).into_vec() }
    }

    pub(super) fn wrote(&mut self, changed: &[String]) {
        changed.iter().for_each(|path| self.board.wrote(path));
    }

    /// The answer has come; it serves until it is forgotten, if that is to be later.
    pub(super) fn land(&mut self, now: Instant, lead: Lead) -> Option<(Instant, Ticket)> {
        if !lead.reuse.is_zero() && self.board.land(now, &lead.ticket, ()) {
            return Some((now + lead.reuse, lead.ticket));
        }
        self.board.forget(&lead.ticket);
        None
    }

    pub(super) fn forget(&mut self, ticket: &Ticket) {
        self.board.forget(ticket);
    }

    /// The call is of no use to others.
    pub(super) fn lose(&mut self, lead: &Lead) {
        self.board.forget(&lead.ticket);
    }
}

/// A target without its query.
pub(super) fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}

/// Who is told apart by a name shares as little as who is told apart by a credential.
fn key(target: &str, sender: &Sender) -> Key {
    let client = sender.client.iter().map(|client| ("authorization", client.as_bytes()));
    let headers = sender.headers.iter().map(|(name, value)| (&**name, value.as_bytes()));
    Key::new(target, headers.chain(client))
}
