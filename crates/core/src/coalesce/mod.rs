//! Single flight: identical GETs share one call, and its answer serves requests that come soon after. One [`Coalescer`]
//! makes all decisions, for the proxy and for the simulator.
//!
//! Requests are told apart byte by byte ([`Key`]), and a write below the same resource ends all sharing
//! ([`Coalescer::invalidate`]). What is asked for again and again keeps to its share of the pools that pay for it
//! ([`Coalescer::poll`]), and may be held until there is something new to tell ([`LongPoll`]).

mod call_id;
mod coalescer;
mod inflight;
mod key;
mod long_poll;
mod own;
mod poll_advice;
mod polls;
mod scope;
mod shareable;
mod status;
mod trailing;

#[cfg(test)]
mod tests;

pub use coalescer::{Call, Coalescer, Role, Terms, Waiter};
pub use key::{Key, can_change_the_answer};
pub use long_poll::LongPoll;
pub use own::wants_its_own;
pub use poll_advice::{PollAdvice, poll_helper};
pub use polls::{LONGEST, Payer};
pub use shareable::Shareable;
pub use status::PolledStatus;

/// The most calls and answers at once; a request beyond goes alone. A guess: it bounds the memory, and no app polls as
/// many things.
pub const MOST: usize = 10_000;
