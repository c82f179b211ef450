//! A whole gate on real sockets, seen as bytes from both sides.

mod access;
mod bodies;
mod bounds;
mod coalesce;
mod coded;
mod cuts;
mod ends;
mod forwarding;
mod house;
mod interleavings;
mod keepalive;
mod learning;
mod loops;
mod patience;
mod pollers;
mod polling;
mod quota;
mod refusals;
mod refused;
mod resend;
mod soak;
mod traces;
mod turns;
mod uploads;
mod upstream;
mod usage;
