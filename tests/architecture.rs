//! The order of the house, as far as Cargo does not keep it: what `tools/house` reads from the sources, held against a list.
//!
//! `tests/architecture.txt` lists what is still out of order. It only gets shorter: what is not listed is an error, and so is
//! a line that no longer holds. `UPDATE=1 cargo test --test integration architecture` takes the latter out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the pure crate does not depend on, at any depth.
const RUNTIMES: [&str; 6] = ["axum", "hyper", "hyper-util", "mio", "rustls", "tokio"];

/// What it does not take from the standard library.
const IMPURE: [&str; 7] =
    ["std::net", "std::fs", "std::thread", "Instant::now", "SystemTime::now", "std::sync::Mutex", "RwLock"];

/// The longest file, in lines.
const LONGEST: usize = 400;

/// What is still out of order.
const KNOWN: &str = "tests/architecture.txt";

/// No import circles, no two public types of one name, inherent impls beside their type.
#[test]
fn nothing_new_is_out_of_order() {
    let listed = fs::read_to_string(KNOWN).expect("a list");
    let known: BTreeSet<&str> = listed.lines().filter(|line| !line.is_empty()).collect();
    let found = offences();
    let found: BTreeSet<&str> = found.lines().filter(|line| !line.is_empty()).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "`make house` says more of these: {new:#?}");
    if std::env::var_os("UPDATE").is_some() {
        let left: Vec<&str> = known.intersection(&found).copied().collect();
        fs::write(KNOWN, left.join("\n") + "\n").expect("it can be written");
    } else {
        let mended: Vec<_> = known.difference(&found).collect();
        assert!(mended.is_empty(), "no longer out of order, so take them out of {KNOWN} (UPDATE=1 does): {mended:#?}");
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
    for (path, text) in rust_files(Path::new("crates/core/src")) {
        let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
        let code = || text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let known: Vec<_> = IMPURE.iter().filter(|&&name| code().any(|line| line.contains(name))).collect();
        assert!(is_test || known.is_empty(), "{path} knows {known:?}");
    }
}

#[test]
fn no_file_is_too_long() {
    let files = ["crates", "src", "tests", "benches"].map(|folder| rust_files(Path::new(folder)));
    assert!(files.iter().all(|files| !files.is_empty()), "there is no source");
    let is_long = |(_, text): &&(String, String)| text.lines().count() > LONGEST;
    let long: Vec<&str> = files.iter().flatten().filter(is_long).map(|(path, _)| &**path).collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
}

fn offences() -> String {
    let output =
        Command::new("python3").args(["tools/house/run", "--offences"]).output().expect("Python 3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text")
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
