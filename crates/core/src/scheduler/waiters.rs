//! Which requests wait for what at this moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use crate::limit::InstanceId;
use crate::queue::{ClientId, LineSummary};

/// How many requests wait that need a pool instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiters {
    /// Of each priority, the highest first.
    pub by: [usize; 3],
    /// Of each client, who has most first; not of more than a few.
    pub of: Vec<(ClientId, usize)>,
    /// How many of them wait for this instance itself, and not for another that they need as well.
    pub held: usize,
    /// When the first of those came.
    pub oldest: Option<Instant>,
}

/// The waiting requests by the instances that they need.
pub(super) struct WaitersByInstance {
    at: HashMap<InstanceId, Crowd>,
}

/// Those who need one instance.
#[derive(Default)]
struct Crowd {
    by: [usize; 3],
    of: BTreeMap<ClientId, usize>,
    held: usize,
    oldest: Option<Instant>,
}

/// How many clients are told apart at an instance. A guess: as many as fit on a page.
const NAMED: usize = 10;

impl WaitersByInstance {
    /// Counts by line, not by request.
    pub(super) fn new(lines: &[LineSummary]) -> Self {
        let mut at = HashMap::<_, Crowd>::new();
        for LineSummary { flow, count, stopped_at, oldest } in lines {
            for &instance in &flow.pools {
                let crowd = at.entry(instance).or_default();
                crowd.by[flow.priority as usize] += count;
                *crowd.of.entry(flow.client).or_default() += count;
                if instance == *stopped_at {
                    crowd.held += count;
                    crowd.oldest = Some(crowd.oldest.map_or(*oldest, |before| before.min(*oldest)));
                }
            }
        }
        Self { at }
    }

    /// Who waits at an instance.
    pub(super) fn at(&mut self, instance: InstanceId) -> Waiters {
        let Some(Crowd { by, of, held, oldest }) = self.at.remove(&instance) else { return Waiters::default() };
        let mut of: Vec<(ClientId, usize)> = of.into_iter().collect();
        of.sort_by_key(|&(_, requests)| Reverse(requests));
        of.truncate(NAMED);
        Waiters { by, of, held, oldest }
    }
}
