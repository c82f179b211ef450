//! A whole gate on real sockets, seen as bytes from both sides.

mod cuts;
mod forwarding;
mod house;
mod quota;
mod uploads;
mod upstream;
