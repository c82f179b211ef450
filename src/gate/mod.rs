//! The gate: one request from its connection to the last byte of its response.
//!
//! [`server`] accepts a connection and drains at the end; [`connection`] finds out what it speaks. [`handle`] is the path of
//! a request, top down; the other modules are its steps, in its order:
//!
//! | module | step |
//! |---|---|
//! | [`request`] | classify it: route, client, target |
//! | [`share`] | let identical GETs share one call |
//! | [`keepalive`] | keep an event stream alive while it waits |
//! | [`resend`] | send it again after the upstream refused it |
//! | [`admit`] | wait in the queue for a place in every pool |
//! | [`forward`] | send it, and read the head of the response |
//! | [`exchange`] | hold its places until the last byte |
//! | [`response`] | answer the client: a response, or an error ([`failure`]) |
//! | [`record`] | count and log it at its end |

mod admit;
mod body;
mod connection;
mod exchange;
mod failure;
mod forward;
mod handle;
mod headers;
mod histogram;
mod keepalive;
mod record;
mod relay;
mod request;
mod resend;
mod response;
mod server;
mod share;
mod shared;
mod sharing;
mod socket;
mod state;
mod stats;
mod strict;

pub use failure::describe;
pub use histogram::Distribution;
pub use record::{End, Outcome, Source};
pub use server::run;
pub use sharing::Coalesced;
pub use state::{ConnectionCounts, GateState};
pub use stats::{RefusalKey, RequestCounts};

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::admission::{Admission, ClientId};
use crate::config::Config;
use crate::telemetry::{OpenError, Telemetry};
use crate::upstream::SetupError;

/// A gate that serves. It is cheap to clone; all clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    state: Arc<GateState>,
}

/// Why there is no gate.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] SetupError),
    /// The access log or the traces cannot be written.
    #[error(transparent)]
    Telemetry(#[from] OpenError),
}

impl Gate {
    /// A gate with this configuration. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]: something cannot be used as configured.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        Ok(Self { state: Arc::new(GateState::new(config)?) })
    }

    /// Where requests are logged.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.state.telemetry
    }

    /// Where requests wait.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.state.admission
    }

    /// How many connections of clients there are and have been.
    #[must_use]
    pub fn connections(&self) -> ConnectionCounts {
        self.state.connections.counts()
    }

    /// How many bytes of bodies are buffered, and how many may be.
    #[must_use]
    pub fn buffered(&self) -> (u64, u64) {
        (self.bodies.held(), self.bodies.most())
    }

    /// What came of the requests of each route, in the order of the table.
    #[must_use]
    pub fn by_route(&self) -> Vec<RequestCounts> {
        self.stats.routes()
    }

    /// What came of the requests of each client that is counted apart, the busiest first; and of all others.
    #[must_use]
    pub fn by_client(&self) -> (Vec<(ClientId, RequestCounts)>, RequestCounts) {
        self.stats.clients()
    }

    /// How many requests the gate has refused, and why.
    #[must_use]
    pub fn refusals(&self) -> Vec<(RefusalKey, u64)> {
        self.stats.refusals()
    }

    /// What came of the GETs of each route that shares calls.
    #[must_use]
    pub fn coalesced(&self) -> Vec<Coalesced> {
        self.sharing.coalesced(&self.routes)
    }
}

impl Deref for Gate {
    type Target = GateState;

    fn deref(&self) -> &GateState {
        &self.state
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
