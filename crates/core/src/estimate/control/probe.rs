//! How often more is tried than is known to hold.

/// After a refusal of a probe so many must be accepted before the next: a refusal in two hundred is half of what the
/// issue allows.
pub(in crate::estimate) const PER_PROBE: u32 = 150;

/// And at most, where probes keep failing. A guess.
pub(in crate::estimate) const PER_PROBE_AT_MOST: u32 = 3_200;
