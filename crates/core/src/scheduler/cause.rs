use std::time::Instant;

use super::evidence::RefusalBurst;
use crate::hints::{LimitFigures, RefusalCause};
use crate::limit::Rate;
use crate::route::RouteId;

/// What may be the matter with a pool instance. Of two the greater is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is allowed suffices, and the upstream takes it.
    WithinLimits,
    /// Nothing has been answered, or what was refused has more than one explanation.
    NotEnoughEvidence {
        /// When the upstream last refused, and how often in a row, if it did.
        refused: Option<RefusalBurst>,
    },
    /// All that is allowed is used.
    OwnLimit {
        /// Which limit.
        limit: ReachedLimit,
    },
    /// The limit is as configured, and the upstream refuses bursts.
    Bursts {
        /// As fast as this, evenly.
        limit: Rate,
        /// How many went at once when it refused.
        burst: u32,
        /// Since when that is known.
        since: Option<Instant>,
    },
    /// The upstream's limit is lower than configured, or there is one where none is configured.
    LowerLimit {
        /// What it seems to be.
        limit: Rate,
        /// What is configured.
        configured: Option<Rate>,
        /// The upstream says so itself.
        reported: bool,
        /// Since when that is known.
        since: Option<Instant>,
    },
    /// Another program uses the same limit.
    Shared {
        /// How much the gate had used at each refusal: the least and the most.
        used: (u64, u64),
        /// Of how much.
        limit: Option<u64>,
    },
    /// The upstream refuses whatever is sent: it has too much to do, or wants the rate to grow more slowly.
    Throttled {
        /// What it says.
        cause: RefusalCause,
        /// How often it refused lately.
        refusals: u32,
        /// How much was taken by the gate when it refused, at most.
        most: u64,
        /// Of how much.
        limit: Option<Rate>,
    },
    /// There is nothing any more where these requests go.
    Gone {
        /// Which kind of requests.
        route: RouteId,
        /// How many answers in a row were 404.
        answers: u64,
    },
    /// Quota, credit or a spend limit: a person must act.
    Billing {
        /// How often it refused lately.
        refusals: u32,
        /// The last time.
        last: Instant,
    },
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachedLimit {
    /// So much in a window.
    Window {
        /// How much.
        limit: Rate,
        /// What of it is used.
        used: u64,
        /// The upstream has told it.
        reported: bool,
    },
    /// So many at once.
    InFlight(u32),
    /// The upstream says that it is used up for long.
    Exhausted {
        /// What it says of it.
        figures: LimitFigures,
        /// Until when.
        until: Instant,
    },
}
