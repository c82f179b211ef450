use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config_view::ConfigView;
use super::diagnosis::millis;
use crate::client::Clients;
use crate::gate::{Distribution, End, Gate, Met, RequestCounts};
use crate::route::RouteId;

/// What has come of the requests of one kind since the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteStatus {
    /// As it is written in the configuration.
    pub route: String,
    /// The pools it takes from.
    pub pools: Vec<String>,
    /// The counts.
    #[serde(flatten)]
    pub counts: CountStatus,
}

/// What has come of one client's requests since the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClientStatus {
    /// By its label; `(others)` are those that are not told apart.
    pub client: String,
    /// Its name of `[clients.names]`; null if it has none.
    pub name: Option<String>,
    /// The counts.
    #[serde(flatten)]
    pub counts: CountStatus,
}

/// What has come of some requests that are over.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CountStatus {
    /// How many there were.
    pub requests: u64,
    /// Have an answer of the upstream, whatever that says.
    pub passed: u64,
    /// Of those, how many have an error: 400 or above.
    pub errors: u64,
    /// The answers of the upstream by class: `2xx`, `4xx`.
    pub classes: BTreeMap<String, u64>,
    /// The same by status; those that are not told apart are in `4xx` and the like.
    pub statuses: BTreeMap<String, u64>,
    /// Those without a complete answer, by the reason: `dns`, `connect`, `tls`, `proxy`, `timeout`, `broken`.
    pub unanswered: BTreeMap<String, u64>,
    /// The commonest of what failed: a status from 400 on, or such a reason.
    pub common_failure: Option<String>,
    /// Were refused by the gate.
    pub refused: u64,
    /// Got no answer of the upstream, or half of one.
    pub failed: u64,
    /// Were left by their clients.
    pub left: u64,
    /// Had the answer to another's.
    pub coalesced: u64,
    /// Were sent more than once.
    pub retried: u64,
    /// Waited for their turn, and got an answer.
    pub waited: u64,
    /// How long they waited for their turn.
    pub wait_ms: SpreadStatus,
    /// How long the upstream took, from the sending to the last byte.
    pub upstream_ms: SpreadStatus,
}

/// How long something took; parts of it as bounds, which are up to twice as long as it was.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SpreadStatus {
    /// On average.
    pub mean: u64,
    /// One half took no longer.
    pub p50: u64,
    /// All but a twentieth took no longer.
    pub p95: u64,
    /// The longest.
    pub max: u64,
}

/// How many clients are listed. A guess: as many as anybody reads.
const LISTED: usize = 100;

/// What stands for the clients that are not.
const OTHERS: &str = "(others)";

impl RouteStatus {
    /// Of every route that has had a request.
    pub(super) fn all(config: &ConfigView, gate: &Gate) -> Vec<Self> {
        let counted = gate.by_route().into_iter().enumerate();
        let asked = counted.filter(|(_, counted)| counted.requests() > 0);
        asked.map(|(index, counted)| Self::new(config, RouteId(index), &counted)).collect()
    }

    fn new(config: &ConfigView, route: RouteId, counted: &RequestCounts) -> Self {
        let charges = config.routes.charges(route).iter();
        let mut pools: Vec<String> = charges.map(|charge| config.pools[charge.pool.0].name.clone()).collect();
        pools.dedup();
        Self { route: config.routes.route(route).name.clone(), pools, counts: counted.into() }
    }
}

impl ClientStatus {
    /// Of those that ask most, and of the others together.
    pub(super) fn all(gate: &Gate) -> Vec<Self> {
        let (mut clients, mut others) = gate.by_client();
        clients.drain(clients.len().min(LISTED)..).for_each(|(_, counted)| others.add(&counted));
        let listed =
            clients.into_iter().map(|(client, counted)| (Clients::label(client), gate.called(client), counted));
        let others = (others.requests() > 0).then(|| (OTHERS.to_owned(), None, others));
        listed.chain(others).map(|(client, name, counted)| Self { client, name, counts: (&counted).into() }).collect()
    }
}

impl From<&RequestCounts> for CountStatus {
    fn from(counted: &RequestCounts) -> Self {
        let [passed, refused, failed, left] = End::ALL.map(|how| counted.ended(how));
        let (mut classes, mut statuses, mut unanswered) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (met, count) in counted.answers.met() {
            match met {
                Met::Status(status) => {
                    *classes.entry(format!("{}xx", status.class())).or_default() += count;
                    statuses.insert(status.name(), count);
                }
                Met::Obstacle(obstacle) => drop(unanswered.insert(obstacle.name().to_owned(), count)),
            }
        }
        let failures = counted.answers.met().filter(|(met, _)| met.is_failure());
        Self {
            requests: counted.requests(),
            passed,
            errors: counted.errors,
            classes,
            statuses,
            unanswered,
            common_failure: failures.max_by_key(|&(_, count)| count).map(|(met, _)| met.name()),
            refused,
            failed,
            left,
            coalesced: counted.coalesced,
            retried: counted.retried,
            waited: counted.wait.count_above_zero(),
            wait_ms: (&counted.wait).into(),
            upstream_ms: (&counted.upstream).into(),
        }
    }
}

impl From<&Distribution> for SpreadStatus {
    fn from(spread: &Distribution) -> Self {
        Self {
            mean: millis(spread.mean()),
            p50: millis(spread.quantile(50)),
            p95: millis(spread.quantile(95)),
            max: millis(spread.most),
        }
    }
}
