use std::time::Duration;

use crate::limit::{PoolId, Rate};

/// Why a request will not go, and when it is worth coming back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// How long to stay away: 1 to 60 s, another time for each who is refused.
    pub retry_after: Duration,
    /// Coming back, even as often as an official SDK does, cannot help.
    pub pointless: bool,
    /// The upstream's own limit, if it has taught one of the pool that is waited for.
    pub learned: Option<Rate>,
}

impl Refusal {
    /// The gate is stopping; another one may be there in a moment.
    pub const DRAINING: Self =
        Self { reason: Reason::Draining, retry_after: A_MOMENT, pointless: false, learned: None };
}

/// How long another gate takes to be there. A guess: the shortest time that `Retry-After` can say.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Why a request will not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// As many wait as may.
    QueueFull {
        /// For which pool; nothing where it is the queue as a whole.
        pool: Option<PoolId>,
        /// How many wait.
        waiting: usize,
        /// When its turn would have come.
        eta: Duration,
    },
    /// Those who wait take as much memory as they may.
    TooManyBytes {
        /// For which pool.
        pool: PoolId,
        /// How much they take.
        bytes: u64,
    },
    /// Nobody may wait for this pool, and it has no room.
    NoQueue {
        /// Which.
        pool: PoolId,
        /// When its turn would have come.
        eta: Duration,
    },
    /// Its turn would come, or would have come, after it no longer wants to go.
    WaitTooLong {
        /// For which pool.
        pool: PoolId,
        /// How many wait for it.
        waiting: usize,
        /// How many of them would go before it.
        ahead: usize,
        /// When its turn would come, as far as the rates say.
        eta: Duration,
        /// How long it may wait.
        max_wait: Duration,
    },
    /// It costs more than the pool ever admits.
    NeverFits {
        /// Which pool.
        pool: PoolId,
        /// The limit that is too small.
        limit: Rate,
        /// What the request costs.
        cost: u32,
    },
    /// The gate is stopping.
    Draining,
}

impl Reason {
    /// For which pool, if it is one.
    #[must_use]
    pub fn pool(self) -> Option<PoolId> {
        match self {
            Self::QueueFull { pool, .. } => pool,
            Self::TooManyBytes { pool, .. }
            | Self::NoQueue { pool, .. }
            | Self::WaitTooLong { pool, .. }
            | Self::NeverFits { pool, .. } => Some(pool),
            Self::Draining => None,
        }
    }
}
