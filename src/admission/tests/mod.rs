//! The scheduler, stepped by hand from one `poll_timeout` to the next.

mod gate;
mod histories;
mod refused;
mod stepped;
mod world;
