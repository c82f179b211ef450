//! What the admin pages say of a gate that serves real traffic.

mod desk;
mod events;
mod metrics;
mod requests;
mod status;
mod troubles;
mod waits;
