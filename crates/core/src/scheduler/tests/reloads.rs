//! Limits change while requests wait.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{AdmissionRequest, Arrival, ClientId, Decision, PoolRules, Rules, Scheduler};
use crate::limit::tests::{capped, start};
use crate::limit::{Limits, PoolId};
use crate::queue::Charges;
use crate::route::Ask;

const SPAN: Duration = Duration::from_secs(2);

fn pools(limits: &[u32]) -> Vec<(Limits, PoolRules)> {
    let rules =
        PoolRules { max_waiting: 50, max_bytes: 1 << 20, max_wait: Duration::from_secs(9), refuse_when_full: false };
    limits.iter().map(|limit| (capped(&[&format!("{limit}/2s")]), rules)).collect()
}

fn scheduler(limits: &[u32]) -> Scheduler<u32> {
    Scheduler::new(Rules {
        pools: pools(limits),
        max_waiting: 100,
        weights: HashMap::new(),
        ageing: Duration::from_secs(30),
    })
}

/// What becomes of a history, request by request, and when each was sent.
#[derive(Debug, Default, PartialEq)]
struct Log {
    said: Vec<String>,
    sent: Vec<(Instant, usize)>,
}

impl Log {
    fn go(&mut self, scheduler: &mut Scheduler<u32>, now: Instant, charges: &Charges) {
        for charge in charges {
            self.sent.push((now, charge.instance.index()));
        }
        scheduler.commit(now, charges);
        scheduler.release(now, charges);
    }

    fn decided(&mut self, scheduler: &mut Scheduler<u32>, now: Instant) {
        loop {
            let decisions = scheduler.take_decisions();
            if decisions.is_empty() {
                return;
            }
            for decision in decisions {
                match decision {
                    Decision::Grant { waiter, charges, .. } => {
                        self.said.push(format!("{waiter} goes"));
                        self.go(scheduler, now, &charges);
                    }
                    Decision::Refuse { waiter, refusal } => self.said.push(format!("{waiter} {:?}", refusal.reason)),
                }
            }
        }
    }

    fn arrive(&mut self, scheduler: &mut Scheduler<u32>, now: Instant, nth: u32, both: bool) {
        let asks = (0..=usize::from(both)).map(|pool| Ask { pool: PoolId(pool), key: None, cost: Some(1) });
        let asks: Vec<Ask> = asks.collect();
        let request = AdmissionRequest { client: ClientId(u64::from(nth % 3)), ..AdmissionRequest::default() };
        match scheduler.arrive(now, &asks, request, || nth) {
            Arrival::Granted { charges, .. } => {
                self.said.push(format!("{nth} goes at once"));
                self.go(scheduler, now, &charges);
            }
            Arrival::Queued { turn, .. } => self.said.push(format!("{nth} waits until {:?}", turn - now)),
            Arrival::Refused(refusal) => self.said.push(format!("{nth} {refusal:?}")),
        }
        self.decided(scheduler, now);
    }
}

proptest! {
    #[test]
    fn same_limits_again_change_no_decision(
        steps in vec((0..400_u64, any::<bool>(), any::<bool>()), 1..80),
    ) {
        let limits = [6, 4];
        let began = start();
        let run = |reloads: bool| {
            let (mut scheduler, mut log, mut now) = (scheduler(&limits), Log::default(), began);
            for (nth, &(pause, both, reload)) in (0..).zip(&steps) {
                now += Duration::from_millis(pause);
                scheduler.handle_timeout(now);
                log.decided(&mut scheduler, now);
                if reload && reloads {
                    scheduler.reload(now, pools(&limits), 100);
                }
                log.arrive(&mut scheduler, now, nth, both);
            }
            log
        };
        prop_assert_eq!(run(true), run(false));
    }

    /// Whatever goes, goes under the limits of that moment, with all that was sent before under others.
    #[test]
    fn no_request_goes_over_the_limit_of_its_moment(
        steps in vec((0..400_u64, any::<bool>(), proptest::option::weighted(0.2, (1..9_u32, 1..9_u32))), 1..80),
    ) {
        let (mut limits, mut now) = ([6, 4], start());
        let (mut scheduler, mut log) = (scheduler(&limits), Log::default());
        for (nth, (pause, both, change)) in (0..).zip(steps) {
            now += Duration::from_millis(pause);
            let known = log.sent.len();
            scheduler.handle_timeout(now);
            log.decided(&mut scheduler, now);
            if let Some((one, other)) = change {
                prop_assert!(is_within(&log, known, limits), "{limits:?}: {log:?}");
                limits = [one, other];
                let known = log.sent.len();
                scheduler.reload(now, pools(&limits), 100);
                log.decided(&mut scheduler, now);
                prop_assert!(is_within(&log, known, limits), "at {limits:?}: {log:?}");
            }
            log.arrive(&mut scheduler, now, nth, both);
            prop_assert!(change.is_some() || is_within(&log, known, limits), "{limits:?}: {log:?}");
        }
    }
}

/// Whether each that was sent since found its windows below the limits.
fn is_within(log: &Log, since: usize, limits: [u32; 2]) -> bool {
    (since..log.sent.len()).all(|nth| {
        let (at, pool) = log.sent[nth];
        let counts = |&&(before, of): &&(Instant, usize)| of == pool && before + SPAN > at;
        log.sent[..=nth].iter().filter(counts).count() <= limits[pool] as usize
    })
}
