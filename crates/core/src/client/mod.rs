//! Clients: how they are told apart, what each may send, how long it waits, which of its requests go
//! first, and which web pages may send any.

mod identity;
mod latency;
mod patience;
mod priority;
mod quota;
mod site;

pub use identity::{ClientKey, ClientSettings, Clients, Identity, Sender};
pub use latency::TypicalLatency;
pub use patience::{MAX_WAIT, patience, unsaid_patience};
pub use priority::{POLL_HELPER, requested_priority};
pub use quota::ClientQuota;
pub use site::{AllowedHost, AllowedHosts, Stranger, is_loopback};
