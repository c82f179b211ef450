//! The floors of the house, held against its sources: who may use whom, and what the pure crate does without.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every room with the rooms it uses, from the ground up: a room uses only what stands above it in this list.
const ROOMS: [(&str, &[&str]); 16] = [
    ("limit", &[]),
    ("feedback", &["limit"]),
    ("coalesce", &["limit"]),
    ("route", &["limit"]),
    ("queue", &["limit", "route"]),
    ("meter", &["limit"]),
    ("admission", &["feedback", "limit", "queue", "route"]),
    ("config", &["feedback", "limit", "route"]),
    ("store", &["admission", "config", "limit"]),
    ("upstream", &["admission", "config", "route"]),
    ("log", &["config", "upstream"]),
    ("proxy", &["admission", "coalesce", "config", "feedback", "limit", "log", "route", "upstream"]),
    ("admin", &["admission", "config", "feedback", "limit", "log", "proxy", "route"]),
    ("mock", &["config", "limit", "meter", "route"]),
    ("simulate", &["admission", "coalesce", "config", "feedback", "limit", "meter", "proxy", "queue", "route"]),
    (
        "cli",
        &[
            "admin",
            "admission",
            "config",
            "limit",
            "log",
            "meter",
            "mock",
            "proxy",
            "route",
            "simulate",
            "store",
            "upstream",
        ],
    ),
];

/// Where sources are: the pure crate, and the proxy around it.
const SOURCES: [&str; 2] = ["crates/core/src", "src"];

/// What the pure crate does not depend on, at any depth.
const RUNTIMES: [&str; 6] = ["axum", "hyper", "hyper-util", "mio", "rustls", "tokio"];

/// What it does not take from the standard library.
const IMPURE: [&str; 7] =
    ["std::net", "std::fs", "std::thread", "Instant::now", "SystemTime::now", "std::sync::Mutex", "RwLock"];

const LONGEST: usize = 400;

#[test]
fn every_room_is_listed_and_every_listed_room_is_there() {
    let listed: BTreeSet<&str> = ROOMS.iter().map(|&(room, _)| room).chain(["lib", "main"]).collect();
    let sources = sources();
    let there: BTreeSet<&str> = sources.iter().map(Source::room).collect();
    assert_eq!(there, listed, "what is there (left), and listed (right)");
}

#[test]
fn a_room_uses_exactly_what_it_is_listed_with() {
    for (room, listed) in ROOMS {
        let sources = sources();
        let own = sources.iter().filter(|source| source.room() == room);
        let used: BTreeSet<&str> =
            own.flat_map(|source| used_rooms(&source.code)).filter(|&used| used != room).collect();
        assert_eq!(used, listed.iter().copied().collect(), "{room} uses (left), and is listed with (right)");
    }
}

#[test]
fn a_room_uses_only_what_stands_below_it() {
    for (at, (room, listed)) in ROOMS.iter().enumerate() {
        let below: Vec<_> = ROOMS[..at].iter().map(|(lower, _)| lower).collect();
        assert!(listed.iter().all(|used| below.contains(&used)), "{room} uses what stands above it: {listed:?}");
    }
}

#[test]
fn no_room_is_entered_through_the_back_door() {
    for source in sources() {
        let climbs = source.path == format!("{}/mod.rs", source.room()) && source.code.contains("super::");
        assert!(!climbs && !source.code.contains("super::super"), "{} leaves its room by super::", source.path);
        let by_name = source.code.contains("tidegate::");
        assert!(!by_name || source.path == "main.rs", "{} names the crate from within", source.path);
    }
}

#[test]
fn core_depends_on_no_runtime() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = ["tree", "--package", "tidegate-core", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let output = Command::new(cargo).args(tree).args(["--locked", "--offline"]).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("a text");
    let crates: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("tidegate-core") && crates.contains("governor"), "{crates:?}");
    let runtimes: Vec<_> = RUNTIMES.iter().filter(|name| crates.contains(*name)).collect();
    assert!(runtimes.is_empty(), "the pure crate depends on {runtimes:?}");
}

#[test]
fn core_knows_no_clock_file_or_lock() {
    for Source { path, code } in sources_under(SOURCES[0]) {
        let known: Vec<_> = IMPURE.iter().filter(|&&name| code.contains(name)).collect();
        assert!(known.is_empty(), "{path} knows {known:?}");
    }
}

#[test]
fn errors_of_any_kind_are_for_the_commands() {
    let careless = |source: &&Source| words(&source.code).any(|word| word == "anyhow");
    let rooms: BTreeSet<String> = sources().iter().filter(careless).map(|source| source.room().to_owned()).collect();
    assert_eq!(rooms, ["cli".to_owned()].into());
}

#[test]
fn no_file_is_too_long() {
    let files = ["crates", "src", "tests", "benches"].map(|folder| rust_files(Path::new(folder)));
    assert!(files.iter().all(|files| !files.is_empty()), "there is no source");
    let is_long = |(_, text): &&(String, String)| text.lines().count() > LONGEST;
    let long: Vec<&str> = files.iter().flatten().filter(is_long).map(|(path, _)| &**path).collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
}

/// A source file: its path under `src`, and what it says apart from comments and tests.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn room(&self) -> &str {
        self.path.split_once('/').map_or(self.path.trim_end_matches(".rs"), |(room, _)| room)
    }
}

fn sources() -> Vec<Source> {
    SOURCES.into_iter().flat_map(sources_under).collect()
}

fn sources_under(folder: &str) -> Vec<Source> {
    let files = rust_files(Path::new(folder));
    assert!(!files.is_empty(), "there is no source");
    // What is only there for tests may use what it likes.
    let is_test = |path: &str| path.contains("/tests/") || path.ends_with("/tests.rs");
    let files = files.into_iter().filter(|(path, _)| !is_test(path));
    let source =
        |(path, text): (String, String)| Source { path: path[folder.len() + 1..].to_owned(), code: code(&text) };
    files.map(source).collect()
}

fn rust_files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((path.display().to_string(), fs::read_to_string(&path).expect("a text")));
        }
    }
    files
}

fn code(text: &str) -> String {
    let (before, tests) = text.split_once("#[cfg(test)]\nmod tests {\n").unwrap_or((text, ""));
    let after = tests.split_once("\n}\n").map_or("", |(_, after)| after);
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    before.lines().chain(after.lines()).filter(is_code).flat_map(|line| [line, "\n"]).collect()
}

/// The rooms named after `crate::`, alone or in braces.
fn used_rooms(code: &str) -> BTreeSet<&str> {
    let paths = code.split("crate::").skip(1);
    paths.flat_map(|path| path.strip_prefix('{').map_or_else(|| vec![path], members)).map(head).collect()
}

/// The paths of a group, up to the brace that closes it.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut members) = (1, Vec::new());
    for piece in group.split_inclusive([',', '{', '}']) {
        if depth == 1 && !head(piece).is_empty() {
            members.push(piece);
        }
        match piece.chars().last() {
            Some('{') => depth += 1,
            Some('}') if depth == 1 => break,
            Some('}') => depth -= 1,
            _ => {}
        }
    }
    members
}

fn head(path: &str) -> &str {
    path.trim_start().split(|c: char| !is_word(c) && c != '*').next().unwrap_or_default()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
