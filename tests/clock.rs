//! Time in tests. What a test asserts about time it drives itself, on a stopped clock; real time only ends a test that hangs.
//!
//! Tokio's paused clock moves on by itself whenever no task is ready, so a timer fires before bytes that are already on
//! their way through a real socket. It does not move while a blocking task runs. [`Clock`] keeps one for as long as it lives,
//! and then only [`Clock::step`] moves the time, with real sockets too.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::{Builder, Handle};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{self, Instant};
use tokio_util::task::AbortOnDropHandle;

/// When a test is taken to hang. Nothing waits this long: it is real time, and generous for a machine that is busy.
const HANGS: Duration = Duration::from_mins(3);

/// How often the runtime looks for what sockets have brought before a look costs a glance.
const TURNS: u32 = 100;

/// Between two looks at something that is waited for.
const GLANCE: Duration = Duration::from_millis(1);

/// Tokio's clock, stopped until this is dropped. It needs the test's runtime to have one thread, as `#[tokio::test]` has.
pub(crate) struct Clock {
    /// The blocking task ends, and with it the stop, when this is dropped.
    _stopped: mpsc::Sender<()>,
}

impl Clock {
    pub(crate) fn stop() -> Self {
        let (stopped, dropped) = mpsc::channel::<()>();
        spawn_blocking(move || dropped.recv().ok());
        time::pause();
        to_whole_millisecond();
        Self { _stopped: stopped }
    }

    /// Moves the time by so much at once. Timers that come due fire; what they lead to is to be waited for.
    pub(crate) async fn step(&self, by: Duration) {
        time::advance(by).await;
    }

    /// Moves the time by so much, to the moment at which something is to come due. If it came due earlier it would have its
    /// turn earlier, and say another time.
    pub(crate) async fn reach(&self, by: Duration) {
        let last = Duration::from_millis(1);
        self.step(by.saturating_sub(last)).await;
        turn().await;
        self.step(last).await;
    }

    /// Moves the time by so much again and again, for as long as this is polled: for what comes whenever it has passed.
    pub(crate) async fn runs(&self, by: Duration) -> Infallible {
        loop {
            self.step(by).await;
            real_sleep(GLANCE).await;
        }
    }
}

/// Moves the stopped clock on to a whole millisecond of the runtime's. Timers fire only at these, so a timer set from there
/// fires at the very time for which it is set, and not up to a millisecond later.
fn to_whole_millisecond() {
    let is_past = |at| time::sleep_until(at).now_or_never().is_some();
    let now = Instant::now();
    // The last instant that counts as past is a whole millisecond; bisecting an hour takes 42 looks.
    let (mut past, mut ahead) = (now - Duration::from_hours(1), now + Duration::from_millis(1));
    while ahead - past > Duration::from_nanos(1) {
        let middle = past + (ahead - past) / 2;
        *(if is_past(middle) { &mut past } else { &mut ahead }) = middle;
    }
    let beyond = u64::try_from((now - past).as_nanos() % 1_000_000).expect("less than a million");
    // The clock has moved once this is polled; the turn that it would give to others is not needed.
    _ = time::advance(Duration::from_nanos(1_000_000 - beyond)).now_or_never();
}

/// Lets every task that is ready now have its turn: those of one thread go in the order in which they became ready.
pub(crate) async fn turn() {
    tokio::spawn(async {}).await.expect("no panic");
}

/// What this gives; a test that hangs fails here, and says what it waited for.
pub(crate) async fn in_time<F: Future>(what: &str, awaited: F) -> F::Output {
    tokio::select! {
        biased;
        output = awaited => output,
        () = real_sleep(HANGS) => panic!("this does not come: {what}"),
    }
}

/// Waits until this is so. Mostly it is after a few turns of the runtime; after that, looks are rarer.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let look = async {
        for turn in 0.. {
            if is_so() {
                return;
            }
            if turn < TURNS {
                yield_now().await;
            } else {
                real_sleep(GLANCE).await;
            }
        }
    };
    in_time(what, look).await;
}

/// Sleeps by the machine's clock, whatever the runtime's says.
pub(crate) async fn real_sleep(time: Duration) {
    static REAL: OnceLock<Handle> = OnceLock::new();
    let handle = REAL.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    });
    let asleep = AbortOnDropHandle::new(handle.spawn(async move { time::sleep(time).await }));
    asleep.await.expect("it sleeps");
}
