//! The scheduler, stepped by hand from one `poll_timeout` to the next.

mod diagnoses;
mod evidence;
mod fairness;
mod forecasts;
mod gate;
mod histories;
mod looks;
mod refused;
mod reloads;
mod returns;
mod stepped;
mod upstream;
mod world;
