//! Several gates that share one account through a store on Redis or Valkey: this gate's turns.
//!
//! [`Replica`] has one task, which owns the one connection and never has more than one call under way. It asks the scheduler
//! what to say, calls, and hands over what came of it. Requests are granted from what is leased and never wait for the task
//! unless nothing is left. What is said and why it is exact: [`tidegate_core::replica`].

mod connection;
mod view;

pub use view::{ReplicaStatus, ReplicaView};

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::config::{Config, SharedStore};
use crate::fingerprint::Fingerprint;
use crate::limit::{Called, Source, Unit};
use crate::replica::{Heard, Member, MemberSettings, MeterCall, ShareState};
use connection::{Connection, TurnError};

/// The next turn of a gate that got all it wanted and sends something, of one that did not, and of one that sends nothing.
const BUSY: Duration = Duration::from_millis(250);
const HUNGRY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(1);

/// The shortest time between two turns.
const SHORTEST: Duration = Duration::from_millis(20);

/// When a call that failed is sent again.
const AGAIN: Duration = Duration::from_millis(100);

/// When a call is sent again for which the store wanted to hear another gate first.
const LATER: Duration = Duration::from_millis(50);

/// How long a gate that stops waits for the store to take back what it has.
const FAREWELL: Duration = Duration::from_secs(1);

/// The task that shares the limits.
pub struct Replica {
    admission: Admission,
    member: Member,
    called: Called,
    connection: Connection,
    /// Of each pool what it is called in the store.
    names: Vec<String>,
    group: String,
    source: Option<(ShareState, u64)>,
    is_hungry: bool,
    fails: bool,
    wanted: Arc<Notify>,
    view: ReplicaView,
}

impl Replica {
    /// From now on the limits of this gate are shared, and nothing is leased yet.
    #[must_use]
    pub fn join(config: &Config, store: &SharedStore, admission: &Admission) -> Self {
        let now = time::Instant::now().into_std();
        let gate = format!("{:016x}", fastrand::u64(..));
        let settings = MemberSettings {
            gate: gate.clone(),
            nonce: fastrand::u64(1..1 << 50),
            on_outage: store.on_outage,
            share: store.parts(),
        };
        let names = config.pools.iter().map(|pool| match pool.limits.unit {
            Unit::Requests => pool.name.clone(),
            Unit::Tokens => format!("{}.tokens", pool.name),
        });
        let wanted = admission.lease();
        Self {
            admission: admission.clone(),
            member: Member::new(settings, now),
            called: Called::default(),
            connection: Connection::new(store),
            names: names.collect(),
            group: store.group.clone(),
            source: None,
            is_hungry: false,
            fails: false,
            wanted,
            view: ReplicaView::new(gate, store),
        }
    }

    /// What is seen of it from outside.
    #[must_use]
    pub fn view(&self) -> ReplicaView {
        self.view.clone()
    }

    /// Takes its turns until it is told to stop; then it gives everything back.
    pub async fn run(mut self, stopped: CancellationToken) {
        while !stopped.is_cancelled() {
            let next = self.turn(false).await;
            self.follow();
            tokio::select! {
                () = self.rest(next) => {}
                () = stopped.cancelled() => {}
            }
        }
        // A call that is not answered yet comes first.
        let farewell = async {
            let _ = self.turn(false).await;
            let _ = self.turn(true).await;
        };
        let _ = time::timeout(FAREWELL, farewell).await;
    }

    /// Waits for the next turn: sooner if a request found nothing left, unless the store had no more either.
    async fn rest(&self, next: Duration) {
        time::sleep(next.min(SHORTEST)).await;
        let rest = next.saturating_sub(SHORTEST);
        if self.is_hungry || self.fails {
            time::sleep(rest).await;
        } else {
            let _ = time::timeout(rest, self.wanted.notified()).await;
        }
    }

    /// One call. Says in how long the next one is due.
    async fn turn(&mut self, leaves: bool) -> Duration {
        let (admission, names, group, called) = (&self.admission, &self.names, &self.group, &mut self.called);
        let gates = self.member.gates();
        let now = time::Instant::now().into_std();
        let call = self.member.call(now, leaves, |answered, declared| {
            let (limits, mut calls) = admission.turn_call(answered, gates, declared);
            name(&mut calls, &limits, names, group);
            *called = limits;
            calls
        });
        let was_busy = call.meters.iter().any(|meter| meter.want > 0 || !meter.entries.is_empty());
        let began = Instant::from(time::Instant::now());
        let heard = match self.connection.turn(&self.group, &call).await {
            Ok(text) => self.member.answered(time::Instant::now().into_std(), &text).map_err(|_| TurnError::Answer),
            Err(error) => Err(error),
        };
        self.view.turned(began.elapsed(), heard.is_ok());
        match heard {
            Ok(heard) => self.heard(heard, was_busy),
            Err(error) => {
                self.connection.drop_it();
                if !std::mem::replace(&mut self.fails, true) {
                    tracing::warn!("the store that limits are shared through does not answer: {error}");
                }
                AGAIN
            }
        }
    }

    fn heard(&mut self, heard: Heard, was_busy: bool) -> Duration {
        if std::mem::take(&mut self.fails) {
            tracing::info!("the store answers again");
        }
        let (until, leases) = match heard {
            Heard::Leases { until, leases } => (until, leases),
            Heard::Again => return Duration::ZERO,
            Heard::Later => return LATER,
        };
        self.is_hungry = leases.iter().any(|lease| !lease.leaving.is_empty());
        self.admission.leased(until, &self.called, leases);
        match (self.is_hungry, was_busy) {
            (true, _) => HUNGRY,
            (false, true) => BUSY,
            (false, false) => IDLE,
        }
    }

    /// Places come from where they come from now.
    fn follow(&mut self) {
        let now = time::Instant::now().into_std();
        let (member, promise) = (&self.member, self.member.promise());
        // The shortest span decides what is said of the gate; each limit goes by its own.
        let state = member.state(now, Duration::ZERO);
        self.admission.set_source(|span| match member.state(now, span) {
            ShareState::OnShare => Source::Share(promise),
            ShareState::Open => Source::Whole,
            ShareState::Joining | ShareState::Leasing | ShareState::Cut => Source::Leased,
        });
        if self.source != Some((state, promise)) {
            if let Some((before, _)) = self.source.filter(|(before, _)| *before != state) {
                tracing::info!(from = view::word(before), to = view::word(state), "how limits are shared");
            }
            self.source = Some((state, promise));
        }
        self.view.follow(state, promise, member.gates(), member.last_heard());
    }
}

/// No key of a pool is seen in the store.
fn name(calls: &mut [MeterCall], called: &Called, names: &[String], group: &str) {
    for (call, (pool, key, nth)) in calls.iter_mut().zip(called.limits()) {
        let of_key = Fingerprint::of(format!("{group}\n{key}").as_bytes());
        call.id = format!("{}:{of_key}:{nth}", names[pool.0]);
    }
}
