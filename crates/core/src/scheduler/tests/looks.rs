//! What a look at the state tells of those who wait.

use std::time::Duration;

use super::gate::{capped_pool, costing, on, one_in_flight};
use crate::hints::{Pushback, RefusalCause};
use crate::limit::Limits;
use crate::limit::tests::start;
use crate::queue::{Charges, ClientId};
use crate::route::Priority;
use crate::scheduler::{AdmissionRequest, Arrival, InstanceState, PoolRules, Rules, Scheduler, Waiters};

const SECOND: Duration = Duration::from_secs(1);

/// A scheduler with these pools, and the time.
struct View {
    scheduler: Scheduler<()>,
    now: std::time::Instant,
}

impl View {
    fn of(pools: Vec<(Limits, PoolRules)>) -> Self {
        let rules = Rules { pools, max_waiting: 1_000, weights: [].into(), ageing: 30 * SECOND };
        Self { scheduler: Scheduler::new(rules), now: start() }
    }

    fn comes(&mut self, client: u64, priority: Priority, pools: &[usize]) -> Option<Charges> {
        let asks: Vec<_> = pools.iter().flat_map(|&pool| on([pool])).collect();
        let applicant = AdmissionRequest { client: ClientId(client), priority, ..AdmissionRequest::default() };
        match self.scheduler.arrive(self.now, &asks, applicant, || ()) {
            Arrival::Granted { charges, .. } => {
                self.scheduler.commit(self.now, &charges);
                Some(charges)
            }
            Arrival::Queued { .. } => None,
            Arrival::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    fn looks_at(&mut self, pool: usize) -> InstanceState {
        self.scheduler.snapshot(self.now).instances.swap_remove(pool)
    }

    fn waits(&mut self, time: Duration) {
        self.now += time;
        self.scheduler.handle_timeout(self.now);
    }
}

#[test]
fn those_who_wait_are_told_by_priority_and_by_client_at_each_of_their_pools() {
    let mut view = View::of(vec![capped_pool("1/10s"), capped_pool("100/s")]);
    view.comes(1, Priority::Normal, &[0]).expect("there is room");
    for (client, priority, pools) in [
        (1, Priority::Normal, &[0][..]),
        (2, Priority::Normal, &[0, 1]),
        (2, Priority::Low, &[0]),
        (2, Priority::High, &[0]),
    ] {
        assert!(view.comes(client, priority, pools).is_none());
    }
    let of = |clients: &[(u64, usize)]| clients.iter().map(|&(client, count)| (ClientId(client), count)).collect();
    let here = view.looks_at(0);
    assert_eq!(here.waiters, Waiters { by: [1, 2, 1], of: of(&[(2, 3), (1, 1)]), held: 4, oldest: Some(view.now) });
    assert_eq!((here.waiting, here.head_goes), (4, Some(view.now + 10 * SECOND)));
    let there = view.looks_at(1);
    let expected = Waiters { by: [0, 1, 0], of: of(&[(2, 1)]), held: 0, oldest: None };
    assert_eq!(there.waiters, expected, "it waits for the other pool");
    assert_eq!(there.head_goes, None, "nobody is stopped there");
    view.scheduler.drain();
    assert_eq!(view.looks_at(0).waiters, Waiters::default());
}

#[test]
fn whoever_is_kept_for_longer_than_he_was_told_is_stalled() {
    let mut view = View::of(vec![one_in_flight()]);
    let first = view.comes(1, Priority::Normal, &[0]).expect("there is room");
    assert!(view.comes(1, Priority::Normal, &[0]).is_none());
    assert_eq!((view.looks_at(0).stalled_since, view.looks_at(0).head_goes), (None, None), "it waits for the first");
    let told = view.now;
    view.waits(5 * SECOND);
    assert_eq!(view.looks_at(0).stalled_since, Some(told), "by the rates it would have gone at once");
    view.scheduler.release(view.now, &first);
    assert_eq!(view.looks_at(0).stalled_since, None);
}

#[test]
fn a_pool_of_which_nobody_goes_as_the_upstream_refused_is_stalled_since_then() {
    let mut view = View::of(vec![capped_pool("100/s")]);
    let charges = view.comes(1, Priority::Normal, &[0]).expect("there is room");
    let (sent, pushback) = (
        view.now,
        Pushback { cause: RefusalCause::Limit, figures: None, family: None, retry_after: Some(20 * SECOND) },
    );
    view.waits(SECOND);
    let refused = view.now;
    view.scheduler.refused(view.now, &charges, sent, &pushback);
    view.waits(SECOND);
    let seen = view.looks_at(0);
    assert_eq!((seen.stalled_since, seen.evidence.refused.by_upstream), (Some(refused), 1));
    assert_eq!(view.scheduler.snapshot(view.now).refusals, [(seen.pool, RefusalCause::Limit, 1)]);
    view.waits(30 * SECOND);
    assert_eq!(view.looks_at(0).stalled_since, None);
}

#[test]
fn what_costs_more_than_a_pool_ever_admits_is_refused_and_counted() {
    let mut view = View::of(vec![capped_pool("2/s")]);
    let arrival = view.scheduler.arrive(view.now, &[costing(0, 3)], AdmissionRequest::default(), || ());
    assert!(matches!(arrival, Arrival::Refused(_)));
    assert_eq!(view.looks_at(0).evidence.refused.by_gate, 1);
}
