use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::span::Span;

/// What is gathered of a request on its way, beyond what is known at its end anyway.
#[derive(Debug)]
pub struct Story {
    came: Instant,
    span: Option<Span>,
    gathered: Mutex<Gathered>,
}

#[derive(Debug, Default)]
struct Gathered {
    asked: Asked,
    steps: Vec<Step>,
}

/// What it asked of its pools.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The model, if one of its pools has an instance for each.
    pub model: Option<String>,
    /// The estimated cost, if one of its pools counts tokens.
    pub tokens: Option<u32>,
    /// Before whom it goes; nothing if it did not come to that.
    pub priority: Option<&'static str>,
}

/// What it spent time on.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) from: Instant,
    /// Nothing while it lasts.
    pub(super) to: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// For its turn.
    Wait,
    /// With the upstream, which answered with this status, if it did.
    Call(Option<u16>),
}

/// What it has been through so far.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// How often it was sent.
    pub attempts: u32,
    /// All its waits together.
    pub waited: Duration,
    /// From when it was last sent to now; nothing if it never was.
    pub upstream: Option<Duration>,
}

/// Its turn is waited for until this is dropped.
#[derive(Debug)]
pub struct Waits {
    story: Arc<Story>,
    from: Instant,
}

impl Story {
    pub(super) fn new(came: Instant, span: Option<Span>) -> Self {
        Self { came, span, gathered: Mutex::default() }
    }

    /// It asks this of its pools.
    pub fn asks(&self, asked: Asked) {
        self.gathered().asked = asked;
    }

    /// What it asked.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.gathered().asked.clone()
    }

    /// From now on it waits for its turn.
    #[must_use]
    pub fn waits(self: &Arc<Self>) -> Waits {
        Waits { story: Arc::clone(self), from: Instant::now() }
    }

    /// It is sent at this moment.
    pub fn sent(&self, at: Instant) {
        self.gathered().steps.push(Step { kind: Kind::Call(None), from: at, to: None });
    }

    /// The head of an answer with this status has come, or nothing will.
    pub fn came_back(&self, status: Option<u16>) {
        if let Some(step) = self.gathered().steps.last_mut() {
            (step.kind, step.to) = (Kind::Call(status), Some(Instant::now()));
        }
    }

    /// What it has been through so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let gathered = self.gathered();
        let waits = gathered.steps.iter().filter(|step| step.kind == Kind::Wait);
        let mut calls = gathered.steps.iter().filter(|step| step.kind != Kind::Wait);
        Spent {
            attempts: u32::try_from(calls.clone().count()).unwrap_or(u32::MAX),
            waited: waits.filter_map(|step| Some(step.to? - step.from)).sum(),
            upstream: calls.next_back().map(|call| call.from.elapsed()),
        }
    }

    pub(super) fn came(&self) -> Instant {
        self.came
    }

    pub(super) fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    pub(super) fn take_steps(&self) -> Vec<Step> {
        mem::take(&mut self.gathered().steps)
    }

    /// Never held over an `.await`.
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let step = Step { kind: Kind::Wait, from: self.from, to: Some(Instant::now()) };
        self.story.gathered().steps.push(step);
    }
}
