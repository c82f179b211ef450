//! Tidegate.

pub mod admin;
pub mod admission;
pub mod cli;
pub mod config;
pub mod limit;
pub mod mock;
pub mod proxy;
pub mod queue;
pub mod route;
pub mod upstream;
