//! The thinking part of Tidegate: how limits are kept, who goes when, and what an upstream's responses say.
//!
//! Everything here is arithmetic on what it is given. `now` is an argument, nothing waits, and nothing knows a runtime, a
//! socket, a file, a clock or a lock: those are the proxy's. So the same code serves real traffic, the simulator and tests
//! that step the clock.
//!
//! | module | one purpose |
//! |---|---|
//! | [`limit`] | may it go now, or not until when; all pools or none |
//! | [`feedback`] | what the upstream's answers say about its limits |
//! | [`estimate`] | which limit the upstream's refusals mean, and what to do about it |
//! | [`route`] | method and path decide which pools, and how much of each |
//! | [`queue`] | which requests wait, for what, and which is next |
//! | [`admission`] | the scheduler: grant, queue or refuse |
//! | [`coalesce`] | identical GETs share one call, and never two credentials an answer |
//! | [`meter`] | how an upstream counts: the lab's side of a limit |

pub mod admission;
pub mod coalesce;
pub mod estimate;
pub mod feedback;
pub mod limit;
pub mod meter;
pub mod queue;
pub mod route;

#[cfg(test)]
mod tests;
