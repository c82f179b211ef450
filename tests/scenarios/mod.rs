//! Scenarios kept as data: an upstream with a weather of its own, a gate before it, and a crowd; what the gate makes of it.
//!
//! Each file tells the case that is true. All are played without sockets, on a clock that goes from one event to the next,
//! and some on real sockets as well. `SCENARIO=part-of-a-name` plays only some, and prints their evidence.

mod crowd;
mod scenario;
mod sockets;

use std::path::{Path, PathBuf};
use std::{env, fs};

use scenario::Scenario;

use crate::clock::Clock;

#[test]
fn every_scenario_is_named_rightly() {
    let only = env::var("SCENARIO").unwrap_or_default();
    let scenarios = files().into_iter().map(|path| Scenario::read(&path));
    let outcomes: Vec<_> = scenarios.filter(|scenario| scenario.name.contains(&only)).map(Scenario::play).collect();
    assert!(!outcomes.is_empty(), "no scenario has {only} in its name");
    outcomes.iter().for_each(|outcome| println!("{outcome}"));
    if !only.is_empty() {
        outcomes.iter().for_each(|outcome| println!("{:#}", outcome.evidence()));
    }
    let wrong: Vec<String> = outcomes.iter().filter(|outcome| !outcome.is_right()).map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "of {}:\n{}", outcomes.len(), wrong.join("\n"));
}

/// A scenario in which chance has a say everywhere.
#[test]
fn a_scenario_plays_the_same_each_time() {
    let [once, again] = [(); 2].map(|()| Scenario::named("shared_with_somebody").play().evidence());
    assert_eq!(once, again);
}

/// What the upstream says itself, and what is not sent at all: no load makes anything else of it.
#[tokio::test]
async fn what_load_cannot_change_is_named_over_sockets() {
    let names =
        ["billing_quota", "gone_assistants", "own_limit_of_a_day", "throttled_grown_too_fast", "unclear_nothing_sent"];
    let clock = Clock::stop();
    for name in names {
        println!("{}", Scenario::named(name).play_on_sockets(&clock).await);
    }
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new("tests/scenarios")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files
}
