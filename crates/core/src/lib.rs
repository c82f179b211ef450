//! The thinking part of Tidegate: how limits are kept, who goes when, and what an upstream's responses say.
//!
//! Everything here is arithmetic on what it is given. `now` is an argument, nothing waits, and nothing knows a runtime, a
//! socket, a file, a clock or a lock: those are the proxy's. So the same code serves real traffic, the simulator and tests
//! that step the clock.
//!
//! | module | one purpose |
//! |---|---|
//! | [`limit`] | may it go now, or not until when; all pools or none |
//! | [`hints`] | what the upstream's answers say about its limits |
//! | [`estimate`] | which limit is it: scope, kind and size from all answers; not used by the gate yet |
//! | [`route`] | method and path decide which pools, and how much of each |
//! | [`client`] | who sends it: identity, quota, patience, priority |
//! | [`queue`] | which requests wait, for what, and which is next |
//! | [`scheduler`] | the scheduler: grant, queue or refuse |
//! | [`refusal`] | why the gate refuses a request, in one type |
//! | [`replica`] | several gates share one account's limits through a store |
//! | [`settings`] | what of the configuration decides all this |
//! | [`problem`] | errors in a file that a user wrote, with their places |
//! | [`coalesce`] | identical GETs share one call, and never two credentials an answer |
//! | [`credential`] | where a client's credential is, and who holds one that changes |
//! | [`fingerprint`] | a stable short name for a value that may be secret |
//! | [`meter`] | how an upstream counts: the lab's side of a limit |

pub mod client;
pub mod coalesce;
pub mod credential;
pub mod estimate;
pub mod fingerprint;
pub mod hints;
pub mod limit;
pub mod meter;
pub mod problem;
pub mod queue;
pub mod refusal;
pub mod replica;
pub mod route;
pub mod scheduler;
pub mod settings;

#[cfg(test)]
mod tests;
