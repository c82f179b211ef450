//! The integration tests, in one crate, so that they are linked once. `cargo test --test integration gate::resend` runs
//! some of them.

mod admission;
mod alone;
mod architecture;
mod bare;
mod canary;
mod cli;
mod clock;
mod config;
mod gate;
mod image;
mod learning;
mod operations;
mod redis_server;
mod scenarios;
mod simulate;
mod turns;
mod watching;
