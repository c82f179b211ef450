use std::time::Duration;

use super::gate::{capped_pool, on};
use crate::hints::{Pushback, RefusalCause};
use crate::limit::tests::start;
use crate::queue::{Charges, ClientId};
use crate::route::{Ask, RouteId};
use crate::scheduler::{AdmissionRequest, Arrival, Evidence, Rules, Scheduler};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A gate with one pool, of which an instance is asked for again and again.
struct Desk {
    scheduler: Scheduler<()>,
    now: std::time::Instant,
    ask: [Ask; 1],
}

impl Desk {
    fn new(limit: &str, key: Option<&str>) -> Self {
        let pools = vec![capped_pool(limit)];
        let rules = Rules { pools, max_waiting: 100, weights: [].into(), ageing: MINUTE };
        let ask = on([0]).map(|ask| Ask { key: key.map(Into::into), ..ask });
        Self { scheduler: Scheduler::new(rules), now: start(), ask }
    }

    fn asks(&mut self, client: u64) -> Arrival {
        let applicant = AdmissionRequest { client: ClientId(client), route: RouteId(1), ..AdmissionRequest::default() };
        self.scheduler.arrive(self.now, &self.ask, applicant, || ())
    }

    /// One is sent.
    fn sends(&mut self, client: u64) -> Charges {
        let Arrival::Granted { charges, .. } = self.asks(client) else { panic!("there is room") };
        self.scheduler.commit(self.now, &charges);
        charges
    }

    /// One is sent and taken.
    fn succeeds(&mut self, client: u64) {
        let charges = self.sends(client);
        self.scheduler.answered(self.now, &charges, self.now, RouteId(1), false);
        self.scheduler.release(self.now, &charges);
    }

    fn is_refused(&mut self, cause: RefusalCause) {
        let charges = self.sends(1);
        self.refuse(&charges, self.now, cause);
    }

    fn refuse(&mut self, charges: &Charges, sent_at: std::time::Instant, cause: RefusalCause) {
        let pushback = Pushback { cause, figures: None, family: None, retry_after: None };
        self.scheduler.refused(self.now, charges, sent_at, &pushback);
        self.scheduler.release(self.now, charges);
    }

    fn waits(&mut self, time: Duration) {
        self.now += time;
        self.scheduler.handle_timeout(self.now);
    }

    fn observed(&mut self) -> Evidence {
        let snapshot = self.scheduler.snapshot(self.now);
        snapshot.instances.into_iter().next_back().expect("the pool").evidence
    }
}

#[test]
fn who_asks_how_often_is_remembered_for_a_minute_or_two() {
    let mut desk = Desk::new("100/s", None);
    [7, 8, 7].into_iter().for_each(|client| desk.succeeds(client));
    let observed = desk.observed();
    assert_eq!((observed.requested, observed.accepted), (3, 3));
    assert_eq!(
        observed.requesters.iter().map(|(asker, times)| (asker.client.0, *times)).collect::<Vec<_>>(),
        [(7, 2), (8, 1)]
    );
    desk.waits(MINUTE);
    assert_eq!(desk.observed().requested, 3, "the minute before counts");
    desk.waits(MINUTE);
    assert_eq!((desk.observed().requested, desk.observed().accepted), (0, 0));
    desk.succeeds(7);
    desk.waits(MINUTE * 2);
    assert_eq!((desk.observed().requested, desk.observed().accepted), (0, 0), "whoever looks between");
}

#[test]
fn who_waits_for_a_configured_limit_is_told_from_who_waits_for_a_refusal() {
    let mut desk = Desk::new("1/min", None);
    desk.succeeds(1);
    assert!(matches!(desk.asks(1), Arrival::Queued { .. }));
    assert_eq!((desk.observed().waited, desk.observed().short), (1, 1));
    let mut desk = Desk::new("100/min", None);
    desk.is_refused(RefusalCause::Overload);
    assert!(matches!(desk.asks(1), Arrival::Queued { .. }));
    assert_eq!((desk.observed().waited, desk.observed().short), (1, 0));
}

#[test]
fn refusals_of_what_was_under_way_together_are_one_episode() {
    let mut desk = Desk::new("300/min", None);
    let (first, second, sent_at) = (desk.sends(1), desk.sends(1), desk.now);
    desk.waits(SECOND);
    desk.refuse(&first, sent_at, RefusalCause::Limit);
    desk.waits(MINUTE);
    desk.refuse(&second, sent_at, RefusalCause::Limit);
    let episodes = desk.observed().bursts;
    assert_eq!(episodes.iter().map(|episode| (episode.refusals, episode.level.used)).collect::<Vec<_>>(), [(2, 0)]);
}

#[test]
fn what_is_taken_counts_from_the_last_refusal_on() {
    let mut desk = Desk::new("300/min", None);
    desk.succeeds(1);
    desk.is_refused(RefusalCause::Billing);
    assert_eq!((desk.observed().accepted_since, desk.observed().peak), (0, 0));
    for _ in 0..3 {
        desk.waits(SECOND);
        desk.succeeds(1);
    }
    assert_eq!((desk.observed().accepted_since, desk.observed().peak), (3, 4));
}

#[test]
fn the_last_sixteen_episodes_are_remembered_for_an_hour() {
    let mut desk = Desk::new("300/min", None);
    for _ in 0..20 {
        desk.waits(SECOND);
        desk.is_refused(RefusalCause::Billing);
    }
    assert_eq!(desk.observed().bursts.len(), 16);
    desk.waits(MINUTE * 59);
    assert_eq!(desk.observed().bursts.len(), 16);
    desk.waits(MINUTE);
    assert_eq!(desk.observed().bursts.len(), 0);
}

#[test]
fn an_instance_that_was_refused_something_is_kept_for_an_hour() {
    let mut desk = Desk::new("300/min", Some("one"));
    desk.is_refused(RefusalCause::Billing);
    desk.waits(MINUTE * 59);
    assert_eq!(desk.scheduler.snapshot(desk.now).instances.len(), 2);
    desk.waits(MINUTE * 2);
    assert_eq!(desk.scheduler.snapshot(desk.now).instances.len(), 1);
}

#[test]
fn the_next_instance_at_a_place_inherits_no_evidence() {
    let mut desk = Desk::new("300/min", Some("one"));
    desk.succeeds(1);
    desk.waits(MINUTE * 3);
    desk.ask[0].key = Some("other".into());
    desk.succeeds(1);
    assert_eq!(desk.observed().requested, 1);
}
