//! 300 POSTs a minute are configured, and the upstream takes fewer, or not at once, or somebody else takes some.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use tidegate::meter::Counting;
use tidegate_lab::mock::{MockStats, Options};

use crate::crowd::{Crowd, Work};
use crate::house::House;

const CLIENTS: u32 = 50;
const LIMIT: u64 = 300;

/// How long a minute must last for more to be judged than that nobody fails.
const SHORTEST: Duration = Duration::from_secs(20);

const WINDOWS: [Counting; 5] =
    [Counting::Fixed, Counting::FixedClock, Counting::Sliding, Counting::Counter, Counting::Bucket];

/// What is behind the gate, how much is sent, and what must come of it.
struct Scene {
    name: String,
    requests: u32,
    options: Options,
    /// Of the upstream's limit, what is used must be so much, in percent, in windows that are counted from there on.
    used: (u64, usize),
    limit: u64,
    refusals: Refusals,
}

/// How often the upstream may refuse.
enum Refusals {
    /// In the first window as many as were in flight, and one in each after that.
    OneAWindow,
    /// As many as were in flight and a tenth of the limit, in all.
    InAll,
}

pub(crate) async fn all(minute: Duration) -> Result<bool> {
    let scenes = WINDOWS.iter().map(|&window| hidden(window)).chain(WINDOWS.map(lifted)).chain([30, 1].map(bucket));
    let runs = scenes.map(|scene| async move { play(scene, minute).await });
    Ok(try_join_all(runs).await?.into_iter().all(|as_it_should| as_it_should))
}

fn hidden(window: Counting) -> Scene {
    let options = options("scale = 0.6", window);
    let name = format!("hidden limit of 60 %, {window:?}");
    Scene { name, requests: 1_000, options, used: (95, 2), limit: LIMIT * 6 / 10, refusals: Refusals::OneAWindow }
}

/// It goes away after five windows, and within three all of the configured limit is used again.
fn lifted(window: Counting) -> Scene {
    let options = options("scale = 0.6\n[[step]]\nat = \"5m\"\nscale = 1.0", window);
    let name = format!("gone after 5 windows, {window:?}");
    Scene { name, requests: 2_000, options, used: (95, 7), limit: LIMIT, refusals: Refusals::OneAWindow }
}

fn bucket(burst: u32) -> Scene {
    let options = Options { burst: NonZeroU32::new(burst), ..options("scale = 1.0", Counting::Bucket) };
    let name = format!("bucket with a burst of {burst}");
    Scene { name, requests: 1_000, options, used: (95, 1), limit: LIMIT, refusals: Refusals::InAll }
}

fn options(weather: &str, window: Counting) -> Options {
    let script = format!("[[step]]\nat = \"0s\"\n{weather}").parse().expect("a script");
    Options { window, script: Some(script), ..Options::default() }
}

async fn play(scene: Scene, minute: Duration) -> Result<bool> {
    let margin = minute / 240;
    let config = |limit: &str| {
        format!(
            "extends = \"none\"\n[pools.posts]\nrequests = [\"300/{limit}\"]\nmargin = \"{}us\"\n\
             [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"posts\"]\n",
            margin.as_micros()
        )
    };
    let options = Options { minute, ..scene.options.clone() };
    let house = House::open(&config("min"), options, &config(&format!("{}ms", minute.as_millis()))).await?;
    let threads = Threads { left: AtomicU32::new(scene.requests) };
    let failed = Crowd::new(house.address, "/v1/threads", threads).send(CLIENTS).await;
    // A few milliseconds too late count for much where all lasts for a few seconds.
    Ok(scene.judge(failed, &house.mock.stats(), minute >= SHORTEST))
}

/// So many threads are to be created.
struct Threads {
    left: AtomicU32,
}

impl Work for Threads {
    fn next(&self, _: u32, _: Duration) -> Option<String> {
        let taken = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        taken.ok().map(|_| "{}".to_owned())
    }
}

impl Scene {
    /// Prints what came of it; whether that is as it should be.
    fn judge(&self, failed: u32, stats: &MockStats, is_long: bool) -> bool {
        let (taken, refused) = (&stats.admitted_by_window.0, &stats.denied_by_window.0);
        let (percent, from) = self.used;
        let whole = taken.get(from..taken.len().saturating_sub(1)).unwrap_or_default();
        let used = whole.iter().sum::<u64>() * 100 / (self.limit * whole.len() as u64).max(1);
        let may_be = match self.refusals {
            Refusals::OneAWindow => {
                let later = refused.iter().skip(1).copied().max().unwrap_or(0);
                refused.first().is_none_or(|&first| first <= u64::from(CLIENTS)) && later <= 1
            }
            Refusals::InAll => refused.iter().sum::<u64>() <= u64::from(CLIENTS) + LIMIT / 10,
        };
        let is_well = failed == 0 && (!is_long || may_be && (whole.is_empty() || used >= percent));
        let word = if is_well { "ok" } else { "NO" };
        println!(
            "{word} {:<36} failed {failed}, used {used:>3} % from window {}; refused {refused:?}, taken {taken:?}",
            self.name,
            from + 1
        );
        is_well
    }
}
