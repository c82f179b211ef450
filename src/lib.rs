//! Tidegate.

pub mod config;
pub mod limit;
pub mod route;
