//! Tidegate.

pub mod config;
pub mod limit;
pub mod queue;
pub mod route;
