//! The Dockerfile, as far as this repository's goes: a stage that builds, and a stage that takes files from it.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) enum Step {
    Workdir(String),
    Variable(String, String),
    Copy { sources: Vec<String>, target: String },
    Run(String),
}

impl Step {
    /// The folder that `cargo install` is told to put `bin` into.
    pub(super) fn installs_to(&self) -> Option<String> {
        let Self::Run(commands) = self else { return None };
        let mut words = commands.split_whitespace().skip_while(|word| *word != "--root");
        words.nth(1).map(str::to_owned)
    }
}

/// The steps of the first stage.
pub(super) fn build_stage(root: &Path) -> Vec<Step> {
    let instructions = instructions(root);
    let stage = instructions.iter().skip(1).take_while(|(name, _)| name != "FROM");
    stage.flat_map(|(name, rest)| steps(name, rest)).collect()
}

/// The files that the last stage takes from the first.
pub(super) fn taken_from_build(root: &Path) -> Vec<PathBuf> {
    let copies = instructions(root).into_iter().filter(|(name, _)| name == "COPY");
    let sources = copies.filter_map(|(_, rest)| rest.strip_prefix("--from=build ").map(str::to_owned));
    sources.map(|rest| rest.split_whitespace().next().expect("a source").into()).collect()
}

fn steps(name: &str, rest: &str) -> Vec<Step> {
    let mut words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
    match name {
        "WORKDIR" => vec![Step::Workdir(rest.to_owned())],
        // An argument that is not given has its default, and is a variable of what runs.
        "ENV" | "ARG" => variables(rest),
        "COPY" => {
            assert!(!rest.starts_with("--"), "this test knows no flag of COPY: {rest}");
            let target = words.pop().expect("a target");
            vec![Step::Copy { sources: words, target }]
        }
        "RUN" => {
            words.retain(|word| !word.starts_with("--mount="));
            vec![Step::Run(words.join(" "))]
        }
        _ => panic!("this test does not know what {name} does to a build: {rest}"),
    }
}

/// `NAME=value OTHER="some words"`.
fn variables(rest: &str) -> Vec<Step> {
    let mut left = rest.trim();
    let mut found = Vec::new();
    while let Some((name, more)) = left.split_once('=') {
        let (quoted, end) = more.strip_prefix('"').map_or((more, ' '), |more| (more, '"'));
        let (value, more) = quoted.split_once(end).unwrap_or((quoted, ""));
        found.push(Step::Variable(name.to_owned(), value.to_owned()));
        left = more.trim();
    }
    assert!(left.is_empty(), "this test does not understand ENV {rest}");
    found
}

/// Each instruction with the rest of its line, and of those that continue it.
fn instructions(root: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(root.join("Dockerfile")).expect("a Dockerfile");
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let text = lines.join("\n").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.split_once(' ').expect("an instruction")).map(|(a, b)| (a.into(), b.trim().into())).collect()
}
