//! The gate: one request from its connection to the last byte of its response.
//!
//! [`server`] accepts a connection and drains at the end; [`connection`] finds out what it speaks. [`handle`] is the path of
//! a request, top down; the other modules are its steps, in its order:
//!
//! | module | step |
//! |---|---|
//! | [`request`] | classify it: route, client, target |
//! | [`share`] | let identical GETs share one call |
//! | [`keepalive`] | keep an event stream alive while it waits |
//! | [`resend`] | send it again after the upstream refused it |
//! | [`admit`] | wait in the queue for a place in every pool |
//! | [`forward`] | send it, and read the head of the response |
//! | [`exchange`] | hold its places until the last byte |
//! | [`response`] | answer the client: a response, or an error ([`failure`]) |
//! | [`record`] | count and log it at its end |

mod admit;
mod answer;
mod answers;
mod body;
mod body_reader;
mod connection;
mod crowd;
mod early;
mod exchange;
mod failure;
mod forward;
mod handle;
mod headers;
mod histogram;
mod hops;
mod keepalive;
mod labels;
mod observed;
mod observed_request;
mod observer;
mod outcome;
mod peer;
mod progress;
mod rate_limit;
mod record;
mod relay;
mod request;
mod request_log;
mod resend;
mod response;
mod server;
mod share;
mod shared;
mod sharing;
mod socket;
mod state;
mod stats;
mod strict;
mod untaken;
mod websocket;
mod workers;
mod write;

pub use answers::{AnswerCounts, AnswerStatus, FailureStreak, Met};
pub(crate) use crowd::Crowd;
pub use failure::describe;
pub use histogram::Distribution;
pub use observer::ObservedCounts;
pub use outcome::{End, Outcome, Source};
pub use request_log::{EndedRequest, KEPT, WaitedFor, WaitingRequest};
pub use server::{run, run_on};
pub use sharing::Coalesced;
pub(crate) use socket::Socket;
pub use state::{ConnectionCounts, Gate, GateState, StartError};
pub use stats::{RefusalKey, RequestCounts};
pub(crate) use strict::Strict;
pub use workers::Workers;
