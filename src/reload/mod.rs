//! Reload: a changed configuration takes over from the one in force while the gate runs.
//!
//! It is read and checked as a whole. Either all of it takes over, or the old one goes on and the [`Reloader`] says why. What is
//! used of the limits, who waits and what is under way stay as they are. Limits and bounds of pools, routes, clients, the upstream
//! and the certificate can be changed like this; what cannot is named ([`Difference`](crate::config::Difference)).

mod reloader;
mod watch;

pub use reloader::{Load, RefusedReload, ReloadStatus, Reloader};
pub use watch::watch;
