use std::time::Instant;

use super::request::{AdmissionRequest, QueuePosition};
use crate::limit::{Charge, InstanceId};
use crate::queue::{Charges, Flow, Returns, Seq};

/// How often an official SDK comes back, unless it is told otherwise (docs/upstream.md §5.2).
pub(super) const SDK_RETURNS: u32 = 2;

/// What becomes of a request that is not refused.
pub(super) enum Admittance {
    Now { charges: Charges, position: QueuePosition },
    Wait(Wait),
}

/// A request that must wait.
pub(super) struct Wait {
    pub(super) entry: Entry,
    pub(super) stopped_at: InstanceId,
    /// When it came first.
    pub(super) arrived: Instant,
    pub(super) deadline: Instant,
    /// When its turn will come, as far as that can be said.
    pub(super) turn: Instant,
}

/// A request with what it takes and where it stands.
pub(super) struct Entry {
    pub(super) flow: Flow,
    pub(super) charges: Charges,
    pub(super) seq: Seq,
    /// Whether it comes back after a refusal.
    pub(super) returns: Option<Returns>,
    pub(super) bytes: u64,
}

impl Entry {
    /// A request at its position.
    pub(super) fn new(charges: Charges, request: AdmissionRequest, seq: Seq) -> Self {
        let flow = flow_of(&charges, request);
        let AdmissionRequest { route, returns, bytes, .. } = request;
        let returns = returns.map(|times| Returns { route, left: SDK_RETURNS.saturating_sub(times) });
        Self { flow, charges, seq, returns, bytes }
    }
}

/// What the request has in common with others.
pub(super) fn flow_of(charges: &[Charge], AdmissionRequest { client, priority, .. }: AdmissionRequest) -> Flow {
    Flow { client, priority, pools: charges.iter().map(|charge| charge.instance).collect() }
}
