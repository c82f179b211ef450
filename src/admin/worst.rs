use std::cmp::Reverse;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::config_view::ConfigView;
use super::diagnosis::CauseName;
use super::estimate::EstimateStatus;
use super::permanent::permanent;
use super::pool::PoolStatus;
use super::rank::Rank;
use super::trouble::Trouble;

/// Something that is the matter, with a pool instance, a route, or the upstream.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Worst {
    /// The pool, as it is called in the configuration; else the route; else the host of the upstream.
    pub name: String,
    /// Which instance of the pool; null where it has only one, and for a route or the upstream.
    pub key: Option<String>,
    /// What the pool counts; null for a route or the upstream.
    pub counts: Option<String>,
    /// As people speak of it.
    pub label: String,
    /// Its place in the order of all pool instances and of this list: the greater, the less it matters.
    pub rank: usize,
    /// What is the matter.
    pub cause: CauseName,
    /// The same in a few characters where there is more to tell: `401`, `dns`.
    pub kind: Option<String>,
    /// What it is, in a sentence or two.
    pub text: String,
    /// What to do, if there is anything.
    pub advice: Option<String>,
    /// The lines of configuration that would make it permanent, where there are any.
    pub toml: Option<String>,
    /// How many requests wait because of it.
    pub waiting: usize,
    /// How many requests failed because of it in the last minutes.
    pub failures: u64,
    /// What it costs: the time that is lost by those who wait and those who fail.
    pub cost_ms: u64,
    /// What is believed, for programs.
    #[serde(flatten)]
    pub estimate: EstimateStatus,
}

/// How much is named for the whole gate. A guess: more than fits on a screen.
const NAMED: usize = 100;

impl Worst {
    /// All that is the matter, the worst first. Sets the ranks of the pools as well.
    pub(super) fn all(config: &ConfigView, pools: &mut [PoolStatus], troubles: &[Trouble], now: Instant) -> Vec<Self> {
        enum Of {
            Pool(usize),
            Trouble(usize),
        }
        let ranked = pools.iter().enumerate().map(|(at, pool)| (pool.weight(), Of::Pool(at)));
        let of_trouble = |trouble: &Trouble| Rank::new(trouble.cost(), trouble.cause, 0);
        let troubled = troubles.iter().enumerate().map(|(at, trouble)| (of_trouble(trouble), Of::Trouble(at)));
        let mut all: Vec<_> = ranked.chain(troubled).collect();
        all.sort_by_key(|&(rank, _)| Reverse(rank));
        let mut worst = Vec::new();
        for (rank, (_, of)) in all.into_iter().enumerate() {
            match of {
                Of::Pool(at) => {
                    pools[at].rank = rank;
                    worst.extend(pools[at].is_finding().then(|| Self::of_pool(config, &pools[at])));
                }
                Of::Trouble(at) => worst.push(Self::of_trouble(&troubles[at], rank, &config.upstream, now)),
            }
        }
        worst.truncate(NAMED);
        worst
    }

    fn of_pool(config: &ConfigView, pool: &PoolStatus) -> Self {
        let (diagnosis, cost) = (&pool.diagnosis, pool.cost());
        Self {
            name: pool.name.clone(),
            key: pool.key.clone(),
            counts: Some(pool.counts.clone()),
            label: pool.label(),
            rank: pool.rank,
            cause: diagnosis.cause,
            kind: None,
            text: diagnosis.text.clone(),
            advice: diagnosis.advice.clone(),
            toml: permanent(config, pool),
            waiting: cost.waiting,
            failures: cost.failures,
            cost_ms: cost.ms(),
            estimate: pool.estimate.clone(),
        }
    }

    fn of_trouble(trouble: &Trouble, rank: usize, upstream: &str, now: Instant) -> Self {
        let (name, cost) = (trouble.route.as_deref().unwrap_or(upstream).to_owned(), trouble.cost());
        Self {
            label: name.clone(),
            name,
            key: None,
            counts: None,
            rank,
            cause: trouble.cause,
            kind: Some(trouble.kind()),
            text: trouble.text(now),
            advice: Some(trouble.advice(upstream)),
            toml: None,
            waiting: 0,
            failures: cost.failures,
            cost_ms: cost.ms(),
            estimate: trouble.estimate(),
        }
    }
}
