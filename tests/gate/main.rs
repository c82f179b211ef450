//! A whole gate on real sockets, seen as bytes from both sides.

mod forwarding;
mod house;
mod keepalive;
mod quota;
mod uploads;
mod upstream;
