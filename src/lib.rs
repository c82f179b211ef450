//! Tidegate.

pub mod admission;
pub mod config;
pub mod limit;
pub mod proxy;
pub mod queue;
pub mod route;
pub mod upstream;
