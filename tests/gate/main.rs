//! A whole gate on real sockets, seen as bytes from both sides.

mod bounds;
mod cuts;
mod forwarding;
mod house;
mod patience;
mod quota;
mod turns;
mod uploads;
mod upstream;
