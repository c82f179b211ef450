//! Several gates, one account: how they share its limits through a store.
//!
//! Each gate **leases** places ahead and grants requests from them, so the store is not on a request's way. A few times a
//! second a gate makes one call, its **turn**: it says what it sent and what it wants, and gets places that last for a while.
//! In the store a place is leased, logged (from its latest possible use until one window later) or free, and
//! *leased + logged + set aside ≤ limit* whenever a place is leased. A lease that is not renewed counts as spent at its end.
//!
//! [`TURN`] is what the store runs, in Lua. [`StoreModel`] is the same in Rust: the oracle for the script, and what the tests
//! run on. `docs/replicas.md` has the reasons.

mod answer;
mod call;
mod member;
mod model;
mod outage;
#[cfg(test)]
mod tests;

pub use answer::{Lease, ParseAnswerError, StoreAnswer, TurnAnswer};
pub use call::{EntryKind, LogEntry, MeterCall, TurnCall};
pub use member::{Heard, Member, MemberSettings, OUTAGE, ShareState, TTL};
pub use model::StoreModel;
pub use outage::OnOutage;

/// What the store runs for a turn: Lua for Redis 6.2 or later, or Valkey.
pub const TURN: &str = include_str!("turn.lua");

/// Shares are counted in parts of a whole: so many, because it has every divisor up to 16.
pub const PARTS: u64 = 720_720;

/// An instant of the store, or a time between two, in microseconds.
pub type Micros = i64;
