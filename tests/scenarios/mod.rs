//! Scenarios kept as data: an upstream with a weather of its own, a gate before it, and a crowd; what the gate makes of it.
//!
//! Each file tells the case that is true. `SCENARIO=part-of-a-name` runs only some, and prints their evidence.

mod crowd;
mod scenario;

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::{env, fs};

use tokio::task::JoinSet;

use scenario::{Outcome, Scenario};

/// How many run at the same time.
const AT_ONCE: usize = 14;

/// Of how many so many must be named rightly.
const RIGHT: usize = 19;
const OF: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nineteen_of_twenty_scenarios_are_named_rightly() {
    let mut scenarios: Vec<Scenario> = files().iter().map(|path| Scenario::read(path)).collect();
    let only = env::var("SCENARIO").ok();
    scenarios.retain(|scenario| only.as_ref().is_none_or(|only| scenario.name.contains(only)));
    assert!(only.is_some() || scenarios.len() >= OF, "there are {} scenarios", scenarios.len());
    scenarios.sort_by_key(|scenario| Reverse(scenario.asked_after));
    let outcomes = play(scenarios).await;
    outcomes.iter().for_each(|outcome| println!("{outcome}"));
    if only.is_some() {
        outcomes.iter().for_each(|outcome| println!("{:#}", outcome.evidence()));
    }
    let right = outcomes.iter().filter(|outcome| outcome.is_right()).count();
    assert!(right * OF >= outcomes.len() * RIGHT, "{right} of {} are named rightly", outcomes.len());
}

async fn play(scenarios: Vec<Scenario>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut scenarios = scenarios.into_iter();
    let mut playing: JoinSet<Outcome> = scenarios.by_ref().take(AT_ONCE).map(Scenario::play).collect();
    while let Some(outcome) = playing.join_next().await {
        outcomes.push(outcome.expect("it is played to its end"));
        scenarios.next().map(|next| playing.spawn(next.play()));
    }
    outcomes.sort_by(|one, other| one.name.cmp(&other.name));
    outcomes
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new("tests/scenarios")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect()
}
