//! Configuration files that are valid, and what is said of those that are not, kept as files in two folders.
//!
//! `UPDATE=1` writes what is said now, to be read by eye before it is kept.

use std::path::{Path, PathBuf};
use std::{env, fs};

use assert_cmd::Command;
use tidegate::config::{Config, Source};

#[test]
fn every_valid_file_is_taken_and_in_force() {
    for file in files("tests/config/valid") {
        let mut check = Command::cargo_bin("tidegate").expect("the program");
        let checked = check.env_clear().arg("check").arg("--config").arg(&file).output().expect("an output");
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&checked.stderr));
        for line in text(&file.with_extension("expect")).unwrap_or_default().lines() {
            assert!(said.lines().any(|said| said == line), "{}: no {line:?} in\n{said}", file.display());
        }
    }
}

#[test]
fn every_invalid_file_is_refused_in_the_words_beside_it() {
    for file in files("tests/config/invalid") {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let parsed = Config::parse(&Source::Text(name.clone()), &text(&file).expect("a text"));
        let said = format!("{}\n", parsed.expect_err(&name));
        let kept = file.with_extension("err");
        if env::var_os("UPDATE").is_some() {
            fs::write(&kept, &said).expect("is written");
        }
        assert_eq!(said, text(&kept).unwrap_or_default(), "{name}: what is said (left), and is to be said (right)");
    }
}

/// A problem between the file and the built-in configuration points into the latter, whose lines change.
#[test]
fn problem_in_the_built_in_part_points_there() {
    let said = |text: &str| {
        let parsed = Config::parse(&Source::Text("short.toml".to_owned()), text);
        parsed.expect_err(text).to_string()
    };
    for (text, parts) in [
        ("[pools.batches-create]\nkey = [\"path.team\"]\n", ["pool 'batches-create' has no key here", "has no {team}"]),
        ("[pools.admin]\nrequests = [\"3/min\"]\n", ["burst above the limit", "write at most burst = 3"]),
    ] {
        let said = said(text);
        assert!(said.contains("--> built-in default.toml:") && !said.contains("short.toml"), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

/// The configurations in a folder, of which there are some.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    assert!(!files.is_empty(), "there is nothing in {folder}");
    files.sort();
    files
}

fn text(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok()
}
