//! The estimator in a closed loop: a simulated upstream with one true rule, clients, and a gate that does what the
//! estimate says, on a virtual clock.

mod bench;
mod cost;
mod drawn;
mod oracle;
mod scenario;
mod suite;
mod upstream;
