//! The one place that waits: every way in which waiting can end, on a paused clock.

use std::collections::HashMap;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::task::Poll;
use std::time::Duration;

use tidegate::admission::{Admission, AdmissionRequest, Permit, PoolRules, Reason, Refusal, Rules, Snapshot};
use tidegate::limit::{Limits, PoolId};
use tidegate::route::Ask;
use tokio::time::{Instant, advance, timeout};

const MINUTE: Duration = Duration::from_mins(1);

/// A gate with one pool of `rate`, and so many at a time.
fn admission(rate: &str, in_flight: Option<u32>) -> Admission {
    let limits = Limits {
        requests: vec![rate.parse().expect("a rate")],
        in_flight: in_flight.and_then(NonZeroU32::new),
        ..Limits::default()
    };
    let rules = PoolRules { max_waiting: 100, max_bytes: u64::MAX, max_wait: 10 * MINUTE, refuse_when_full: false };
    Admission::start(Rules { pools: vec![(limits, rules)], max_waiting: 100, weights: HashMap::new(), ageing: MINUTE })
}

const ONE: [Ask; 1] = [Ask { pool: PoolId(0), key: None, cost: Some(1) }];

async fn acquire(admission: &Admission) -> Result<Permit, Refusal> {
    admission.acquire(&ONE, AdmissionRequest::default()).await
}

/// What is held, spent and in flight of the pool.
fn taken(now: &Snapshot) -> (u64, u64, u32) {
    let taken = &now.instances[0].usage;
    (taken.reserved, taken.windows[0].1, taken.in_flight)
}

#[tokio::test(start_paused = true)]
async fn a_permit_comes_when_the_window_has_room_and_says_how_long_it_took() {
    let admission = admission("1/min", None);
    let began = Instant::now();
    let (place, _first) = acquire(&admission).await.expect("room").split();
    place.sent();
    let second = acquire(&admission).await.expect("its turn");
    assert_eq!((second.waited, began.elapsed()), (MINUTE, MINUTE));
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_dropped_gives_its_place_to_the_next() {
    let admission = admission("1/min", None);
    let first = acquire(&admission).await.expect("room");
    let waiting = acquire(&admission);
    tokio::pin!(waiting);
    assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
    drop(first);
    assert_eq!(waiting.await.expect("the place of the first").waited, Duration::ZERO);
    let tally = admission.snapshot().totals;
    assert_eq!((tally.granted, tally.refunded, tally.sent), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_sent_is_spent_and_saying_so_again_changes_nothing() {
    let admission = admission("2/h", None);
    let (place, in_flight) = acquire(&admission).await.expect("room").split();
    place.sent();
    place.sent();
    drop(place);
    assert_eq!(taken(&admission.snapshot()), (0, 1, 1));
    drop(in_flight);
    assert_eq!(taken(&admission.snapshot()), (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_is_in_flight_is_so_to_the_end_of_the_answer() {
    let admission = admission("100/s", Some(1));
    let (place, in_flight) = acquire(&admission).await.expect("room").split();
    place.sent();
    let waiting = acquire(&admission);
    tokio::pin!(waiting);
    assert!(timeout(MINUTE, &mut waiting).await.is_err(), "it is still in flight");
    drop(in_flight);
    assert_eq!(waiting.await.expect("its turn").waited, MINUTE);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_refused_at_its_deadline() {
    let admission = admission("100/s", Some(1));
    let _forever = acquire(&admission).await.expect("room");
    let began = Instant::now();
    let refusal = acquire(&admission).await.expect_err("nobody makes room");
    assert!(matches!(refusal.reason, Reason::WaitTooLong { .. }), "{refusal:?}");
    assert_eq!(began.elapsed(), 10 * MINUTE);
    assert_eq!(admission.snapshot().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_all_waiting_and_lets_nobody_in() {
    let admission = admission("1/min", None);
    let _first = acquire(&admission).await.expect("room");
    let waiting = tokio::spawn({
        let admission = admission.clone();
        async move { acquire(&admission).await }
    });
    tokio::task::yield_now().await;
    admission.drain();
    assert_eq!(waiting.await.expect("no panic").expect_err("told").reason, Reason::Draining);
    assert_eq!(acquire(&admission).await.expect_err("told").reason, Reason::Draining);
}

/// A request as the proxy makes it, with a pause at every step at which its client may go away.
async fn request(admission: Admission) {
    let Ok(permit) = acquire(&admission).await else { return };
    let (place, _in_flight) = permit.split();
    tokio::time::sleep(Duration::from_millis(7)).await;
    place.sent();
    drop(place);
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test(start_paused = true)]
async fn whenever_a_client_goes_away_all_is_given_back_or_spent_once() {
    let admission = admission("3/100ms", Some(2));
    let step = Duration::from_millis(1);
    for cut_at in 0..=150 {
        let requests: Vec<_> = (0..6).map(|_| tokio::spawn(request(admission.clone()))).collect();
        for _ in 0..cut_at {
            advance(step).await;
        }
        for (index, request) in requests.iter().enumerate() {
            if index % 2 == 0 {
                request.abort();
            }
        }
        for request in requests {
            drop(timeout(MINUTE, request).await.expect("nobody is stuck"));
        }
        let now = admission.snapshot();
        let (held, _, in_flight) = taken(&now);
        assert_eq!((now.waiting, held, in_flight), (0, 0, 0), "cut after {cut_at} ms");
        let tally = now.totals;
        assert_eq!(tally.granted, tally.sent + tally.refunded, "cut after {cut_at} ms");
        assert_eq!(tally.granted, tally.released, "cut after {cut_at} ms");
    }
    advance(MINUTE).await;
    assert_eq!(taken(&admission.snapshot()), (0, 0, 0));
}

/// When a request that has been polled so often is dropped.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// As it begins to wait.
    AtOnce,
    /// As it has been woken: what it waited for lies ready and is never fetched.
    Woken,
}

/// Polls the future at most so often, and drops it then; says whether it was over before.
async fn cut_after(polls: usize, cut: Cut, future: impl Future<Output = ()>) -> bool {
    let (mut future, mut left) = (Some(Box::pin(future)), polls);
    let over = poll_fn(|cx| {
        let Some(driven) = future.as_mut().filter(|_| left > 0) else { return Poll::Ready(false) };
        left -= 1;
        match driven.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if left == 0 && matches!(cut, Cut::AtOnce) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    });
    let over = over.await;
    drop(future);
    over
}

#[tokio::test(start_paused = true)]
async fn at_whichever_poll_a_request_is_dropped_it_ends_once_and_the_next_goes() {
    for cut in [Cut::AtOnce, Cut::Woken] {
        for polls in 0.. {
            let admission = admission("100/s", Some(1));
            let before = tokio::spawn(request(admission.clone()));
            tokio::task::yield_now().await;
            let dropped = tokio::spawn(cut_after(polls, cut, request(admission.clone())));
            tokio::task::yield_now().await;
            let after = tokio::spawn(request(admission.clone()));
            before.await.expect("no panic");
            let over = dropped.await.expect("no panic");
            timeout(MINUTE, after).await.expect("nobody is stuck").expect("no panic");
            let now = admission.snapshot();
            let (held, spent, in_flight) = taken(&now);
            assert_eq!((now.waiting, held, in_flight), (0, 0, 0), "{cut:?} after {polls}: {now:?}");
            let tally = now.totals;
            assert_eq!(tally.granted, tally.sent + tally.refunded, "{cut:?} after {polls}: {now:?}");
            assert_eq!((tally.granted, tally.sent), (tally.released, spent), "{cut:?} after {polls}: {now:?}");
            // It waits for its turn, for a connection and for its answer.
            assert_eq!(over, polls > 3, "{cut:?} after {polls}");
            if over {
                break;
            }
        }
    }
}
