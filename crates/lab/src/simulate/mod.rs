//! Traffic through the real scheduler, the real route table and the real coalescer, on a virtual clock.
//!
//! Nothing here waits, and nothing here decides who goes: a [`World`](world::World) tells the
//! [`Scheduler`](crate::scheduler::Scheduler) the time, and keeps a tally of what it says. The traffic is a scenario, the
//! gate's own access log, or a HAR ([`read`]).

mod access_log;
mod arrivals;
mod asking;
mod events;
mod har;
mod instance;
mod passage;
mod pattern;
mod quota;
mod ratio;
mod recorded;
mod report;
mod scenario;
mod search;
mod sharing;
mod source;
mod spread;
mod svg;
mod tally;
mod timeline;
mod traffic;
mod upstream;
mod waits;
mod world;

pub use instance::{Point, Utilisation};
pub use report::{Jobs, Named, Outcomes, PoolReport, Report, titles};
pub use search::{Tried, most_workers};
pub use source::{Unusable, read};
pub use svg::picture;
pub use traffic::Traffic;
pub use waits::Waited;

use std::time::Instant;

use crate::settings::Settings;

/// What would come of this traffic with these settings. `began` is any instant; `progress` hears from time to time
/// how much of the traffic has come, in thousandths.
pub fn simulate(settings: &Settings, traffic: &Traffic, began: Instant, mut progress: impl FnMut(u64)) -> Report {
    world::World::new(settings, traffic, began).run(&mut progress)
}
