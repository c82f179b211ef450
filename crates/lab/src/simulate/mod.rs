//! Traffic through the gate's own scheduler, route table and coalescing, on a virtual clock.
//!
//! Nothing here waits, and nothing here decides which request goes: a [`Simulation`](simulation::Simulation) tells the
//! [`Scheduler`](crate::scheduler::Scheduler) the time and counts its decisions. The traffic is a scenario, the gate's own
//! access log, or a HAR ([`read`]).

mod access_log;
mod arrivals;
mod events;
mod group_stats;
mod har;
mod instance_stats;
mod pattern;
mod quota;
mod ratio;
mod recorded;
mod report;
mod request_facts;
mod scenario;
mod search;
mod sharing;
mod simulation;
mod source;
mod spread;
mod stats;
mod svg;
mod timeline;
mod traffic;
mod traffic_error;
mod upstream;
mod waits;

pub use instance_stats::{LoadPoint, Utilisation};
pub use report::{NamedOutcomes, Outcomes, PoolReport, SimulationReport, StreamReport, titles};
pub use search::{SearchStep, most_workers};
pub use source::read;
pub use svg::picture;
pub use traffic::Traffic;
pub use traffic_error::TrafficError;
pub use waits::Waited;

use std::time::Instant;

use crate::settings::Settings;

/// Simulates this traffic with these settings. `began` is any instant. `progress` is called from time to time with the
/// part of the traffic that is done, in thousandths.
pub fn simulate(
    settings: &Settings,
    traffic: &Traffic,
    began: Instant,
    mut progress: impl FnMut(u64),
) -> SimulationReport {
    simulation::Simulation::new(settings, traffic, began).run(&mut progress)
}
