//! Tidegate: a local HTTP gate before api.openai.com. Requests wait their turn here instead of earning 429s there.
//!
//! # The house
//!
//! Thinking is separate from waiting. The ground floor is a crate of its own, `tidegate-core` in `crates/core`, and is
//! arithmetic: `now` is an argument, nothing waits, and nothing there knows tokio, HTTP, a clock or a lock; Cargo keeps
//! runtimes out of it. Above it, in this crate, one room waits; above that, HTTP; at the top, people. A room uses only the
//! rooms below it (`tests/architecture.rs` lists which, and holds that).
//!
//! | floor | room | one purpose |
//! |---|---|---|
//! | 3 | [`cli`] | the commands, one file each |
//! | 2 | [`proxy`] | one request from accept to last byte |
//! |   | [`upstream`] | the pooled client that sends it |
//! |   | [`admin`] | what people and probes see |
//! |   | [`log`] | what is told of each request at its end, and how much of all else |
//! |   | [`mock`] | a stand-in for the upstream, to test against |
//! |   | [`simulate`] | traffic through the real scheduler on a virtual clock |
//! | 1 | [`config`] | the file as written becomes the program's own valid form |
//! |   | [`admission`] | who goes when; where requests wait for their turn |
//! |   | [`store`] | what has been learned, on disk over a restart |
//! | core | [`limit`] | may it go now, or not until when; all pools or none |
//! |   | [`feedback`] | what the upstream's answers say about its limits |
//! |   | [`coalesce`] | identical GETs share one call, and never two credentials an answer |
//! |   | [`route`] | method and path decide which pools, and how much of each |
//! |   | [`queue`] | who waits, for what, and who is next |
//! |   | [`tidegate_core::admission`] | the scheduler: grant, queue or refuse |
//! |   | [`meter`] | how an upstream counts, for the stand-in and the simulator |
//!
//! # One request
//!
//! `proxy::server` accepts the connection, and `proxy::connection` finds out what it speaks. Then `proxy::stack` is the
//! way through, as it is written there:
//!
//! 1. `classify`: [`route::Table::find`] names the route, and [`proxy::Clients::identify`] whose the request is.
//! 2. `quota`: a client beyond its own quota is refused.
//! 3. `coalesce`: where its route says so, a GET joins an identical one that is under way, or is answered by what has
//!    just come ([`coalesce::Board`]). What is asked for again and again keeps to its share of the pools
//!    ([`coalesce::Polls`]), and may be held until there is something new to tell.
//! 4. `keepalive`: where its route says so, who waits long for a stream is answered before its turn.
//! 5. `resend`: what comes back as a refusal of the upstream is understood ([`feedback::understand`]), told to admission
//!    ([`InFlight::refused`](admission::InFlight::refused)), and goes through the steps below once more, from the place
//!    it had ([`admission::Again`]).
//! 6. `admit`: [`route::Table::asks`] says what it asks of which pools, and [`admission::Applicant`] before whom it goes
//!    and how long it will wait. [`admission::Admission::acquire`] grants a [`Permit`](admission::Permit), at once or
//!    later, or refuses.
//! 7. `forward`: [`upstream::Upstream::send`] sends it, over a connection of its pool that this very task drives. The permit's [`Place`](admission::Place) in the windows is spent
//!    as the head is written, and given back if it never is.
//! 8. `answer`: the answer goes back as it comes. Its body carries what is [`InFlight`](admission::InFlight), and the
//!    request's line in the log, to the last byte.
//!
//! What is seen on the way is evidence, from which each pool instance has a [`Diagnosis`](admission::Diagnosis); [`admin`]
//! puts it into words.

// They panic once nobody reads; `cli::output` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod admin;
pub mod admission;
pub mod cli;
pub mod config;
pub mod log;
pub mod mock;
pub mod proxy;
pub mod simulate;
pub mod store;
pub mod upstream;

pub use tidegate_core::{coalesce, feedback, limit, meter, queue, route};
