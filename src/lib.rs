//! Tidegate: a local proxy for api.openai.com. It queues requests so that they stay under your rate limits instead of
//! failing with 429.
//!
//! # The house
//!
//! Deciding is separate from waiting, and Cargo holds the wall: `tidegate-core` (`crates/core`) decides. It is arithmetic,
//! `now` is an argument, and no runtime, socket, clock or lock is among its dependencies. This crate waits and speaks HTTP.
//! `tidegate-lab` (`crates/lab`) has what people test against: the mock upstream, the simulator, the demo's traffic.
//!
//! | here | one purpose |
//! |---|---|
//! | [`cli`] | the commands, one file each |
//! | [`gate`] | one request, from its connection to the last byte of its response |
//! | [`admission`] | where requests wait: the scheduler under a lock, with a clock and a timer |
//! | [`upstream`] | the connections to the upstream, and the bodies that go both ways |
//! | [`telemetry`] | the access log, the traces, and how much the log says |
//! | [`admin`] | what people and probes see: page, status, metrics |
//! | [`config`] | the file as written becomes the program's own valid form |
//! | [`reload`] | a changed configuration takes over while the gate runs |
//! | [`store`] | what was learned, on disk over a restart |
//! | [`replicas`] | several gates share one account through Redis or Valkey |
//!
//! | core | one purpose |
//! |---|---|
//! | [`route`] | method and path decide which pools a request takes from, and how much |
//! | [`limit`] | may it go now, or not until when; all pools or none |
//! | [`queue`] | which requests wait, for what, and which is next |
//! | [`scheduler`] | grant, queue or refuse |
//! | [`refusal`] | why the gate refuses a request: one type, one list of codes |
//! | [`replica`] | what a gate and the store say to each other where several share one account |
//! | [`client`] | whose a request is, its quota, patience and priority |
//! | [`coalesce`] | identical GETs share one call, and never two credentials a response |
//! | [`hints`] | what the upstream's responses say about its limits |
//! | [`settings`] | what of the configuration decides all this |
//! | [`problem`] | errors in a file that a user wrote, with their places |
//! | [`fingerprint`] | a stable short name for a value that may be secret |
//! | [`meter`] | how an upstream counts, for the mock and the simulator |
//!
//! # One request
//!
//! `gate/server.rs` accepts the connection, and `gate/connection.rs` finds out what it speaks. `gate/handle.rs` is the path
//! of a request; read it top down:
//!
//! 1. `ClientRequest::read`: [`route::Table::find`] names its route, [`client::Clients`] whose it is.
//! 2. `check`: a client over its own quota, a tunnel, and a web page that would spend the gate's key are refused.
//! 3. `share`: where its route says so, a GET joins an identical one, or gets its response ([`coalesce::Coalescer`]).
//! 4. `keep_alive`: where its route says so, an event stream that waits long begins with comments.
//! 5. `attempt` sends it, and again after a refusal ([`hints::classify_refusal`]) as long as waiting helps:
//!    1. `admit`: it asks its pools for what it costs ([`route::Table::asks`]), and [`admission::Admission`] grants a
//!       [`Permit`](admission::Permit), at once or later, or refuses.
//!    2. `forward`: [`upstream::Upstream::send`] sends it. Its [`Place`](admission::Place) in the windows is committed as its
//!       head is written, and refunded if it never is.
//! 6. `respond`: the response goes to the client. Its body keeps the request [`InFlight`](admission::InFlight) and its record
//!    open to the last byte; then the record is counted and logged.
//!
//! What the upstream accepts and refuses on the way is evidence, from which each pool instance has a
//! [`Diagnosis`](admission::Diagnosis); [`admin`] puts it into words.
//!
//! Where to look: `Retry-After` of a refusal is computed in [`scheduler`] (`admit`) and written by `gate/response.rs`; a client
//! that leaves gives its place back in `admission/driver.rs` (`Drop`); `x-ratelimit-*` is read in [`hints`]; SIGTERM ends in
//! `gate/server.rs` (`end`); headers between client and gate are stripped in `gate/headers.rs`.

// They panic once nobody reads; `cli::output` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod admin;
pub mod admission;
pub mod cli;
pub mod config;
pub mod gate;
pub mod reload;
pub mod replicas;
pub mod store;
pub mod telemetry;
pub mod upstream;

pub use tidegate_core::{
    client, coalesce, fingerprint, hints, limit, meter, problem, queue, refusal, replica, route, scheduler, settings,
};
