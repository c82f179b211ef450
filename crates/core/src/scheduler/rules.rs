use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::limit::Limits;
use crate::queue::ClientId;

/// What the scheduler needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What each pool admits, and how it treats waiting requests; [`PoolId`](crate::limit::PoolId) counts them.
    pub pools: Vec<(Limits, PoolRules)>,
    /// How many may wait in all.
    pub max_waiting: usize,
    /// The share of each client that has more than one.
    pub weights: HashMap<ClientId, NonZeroU32>,
    /// Low-priority requests count as normal after this long.
    pub ageing: Duration,
}

/// How a pool treats waiting requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolRules {
    /// How many may wait for it.
    pub max_waiting: usize,
    /// How much memory those who wait for it may take, in bytes.
    pub max_bytes: u64,
    /// How long a request may wait for it, from arrival to dispatch.
    pub max_wait: Duration,
    /// A request that cannot go at once is refused.
    pub refuse_when_full: bool,
}
