//! `tidegate simulate`: every scenario that ships runs, and what is printed is what came of it.

use std::fs;

use assert_cmd::Command;
use serde_json::Value;

use super::{DEFAULT, Ended, tidegate};

const WORKERS: &str = "config/scenarios/workers.toml";

/// One stream, to a pool of the built-in configuration.
const BURST: &str = "duration = \"2m\"\n[[streams]]\nrequest = \"POST /v1/threads\"\nburst = 600\nlatency = \"0s\"\n";

fn write(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("writes");
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn every_scenario_that_ships_is_simulated() {
    let scenarios = fs::read_dir("config/scenarios").expect("a folder").map(|entry| entry.expect("an entry").path());
    // An hour of a hundred a second is for the release build (benches/simulate).
    let scenarios: Vec<_> = scenarios.filter(|path| !path.ends_with("hour.toml")).collect();
    assert!(scenarios.len() >= 2, "{scenarios:?}");
    for path in scenarios {
        let Ended { said, complained, code } = tidegate(&["simulate", &path.display().to_string()], &[]);
        assert_eq!((&*complained, code), ("", Some(0)), "{}", path.display());
        for part in ["requests  ", "assistants-", "wait p95", "simulated in "] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn json_says_what_came_of_it_and_the_picture_is_svg() {
    let (folder, burst) = write("burst.toml", BURST);
    let picture = folder.path().join("burst.svg");
    let Ended { said, code, .. } =
        tidegate(&["simulate", &burst, "--json", "--svg", &picture.display().to_string()], &[]);
    assert_eq!(code, Some(0));
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let report = &said["reports"][0];
    assert_eq!((&report["whole"]["served"], &report["config"]), (&600.into(), &DEFAULT.into()));
    // A minute, and the margin of a window.
    assert_eq!(report["whole"]["wait_ms"]["max"], 60_250.0);
    let pool = &report["pools"][0];
    assert_eq!((&pool["name"], &pool["longest_line"]), (&"assistants-post".into(), &300.into()));
    let picture = fs::read_to_string(picture).expect("a picture");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{picture}");
    assert!(picture.contains("assistants-post: wait p95"), "{picture}");
}

#[test]
fn two_configurations_stand_side_by_side() {
    let (folder, burst) = write("burst.toml", BURST);
    let other = folder.path().join("other.toml").display().to_string();
    fs::write(&other, fs::read_to_string(DEFAULT).expect("a file").replace("\"300/min\"", "\"600/min\""))
        .expect("writes");
    let Ended { said, code, .. } = tidegate(&["simulate", &burst, "--compare", &other], &[]);
    assert_eq!(code, Some(0), "{said}");
    let row = |what: &str| {
        said.lines().find(|line| line.starts_with(what)).map(|line| line.split_whitespace().collect::<Vec<_>>())
    };
    assert_eq!(row("wait, longest"), Some(vec!["wait,", "longest", "1.0", "min", "0"]), "{said}");
    assert!(said.contains(&format!("A         {DEFAULT}\nB         {other}\n")), "{said}");
}

#[test]
fn the_number_of_workers_that_fit_is_searched_for() {
    let Ended { said, code, .. } = tidegate(&["simulate", WORKERS, "--search", "workers", "--within", "2s"], &[]);
    assert_eq!(code, Some(0), "{said}");
    let most: u32 = said.lines().last().and_then(|line| line.split(' ').next()?.parse().ok()).expect("a number");
    let verdict = |workers: u32| {
        let line = said.lines().find(|line| line.trim_start().starts_with(&format!("{workers} workers: p95")));
        line.map_or_else(|| panic!("{workers} was not tried: {said}"), |line| line.ends_with(": fits"))
    };
    assert!(verdict(most) && !verdict(most + 1), "{said}");
    let Ended { said, .. } = tidegate(&["simulate", WORKERS, "--search", "workers", "--within", "2s", "--json"], &[]);
    assert_eq!(serde_json::from_str::<Value>(&said).expect("JSON")["workers"], most);
}

#[test]
fn who_asks_for_what_is_not_there_is_told_what_is() {
    let (_folder, burst) = write("burst.toml", BURST);
    for (arguments, mend) in [
        (&["simulate", &burst, "--search", "workers"][..], "write workers = 10 in one of [[streams]]"),
        (&["simulate", WORKERS, "--search", "nobody"], "but workers"),
        (&["simulate", "no/such.toml"], "cannot read the traffic no/such.toml"),
        (&["simulate", WORKERS, "--within", "2s"], "--search"),
    ] {
        let Ended { said, complained, code } = tidegate(arguments, &[]);
        assert_eq!((&*said, code), ("", Some(2)), "{complained}");
        assert!(complained.contains(mend), "{mend}: {complained}");
    }
}

#[test]
fn what_is_wrong_in_a_scenario_is_shown_in_it() {
    let (_folder, wrong) = write("wrong.toml", &BURST.replace("burst = 600", "rate = \"fast\""));
    let Ended { complained, code, .. } = tidegate(&["simulate", &wrong], &[]);
    assert_eq!(code, Some(2), "{complained}");
    assert!(complained.contains("wrong.toml:4:8") && complained.contains("rate = \"fast\""), "{complained}");
}

#[test]
fn traffic_comes_on_standard_input_too() {
    let mut command = Command::cargo_bin("tidegate").expect("the program");
    let output = command.args(["simulate", "-", "--config", DEFAULT]).write_stdin(BURST).output().expect("it runs");
    let said = String::from_utf8(output.stdout).expect("a text");
    assert!(said.starts_with("traffic   standard input: 2.0 min of it\n"), "{said}");
}
