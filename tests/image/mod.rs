//! The image without an engine: the steps that build it, in a copy of what `.dockerignore` lets through, as far as the
//! first crate that would be compiled. `make image` builds the real one and runs it.

mod context;
mod dockerfile;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use context::Context;
use dockerfile::Step;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Ends the build at the first crate, and says that it has come that far: manifests, targets, lock file, profile and flags
/// are right.
const COMPILER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/image/compiler");
const REACHED: &str = "all that comes before compiling is right";

#[test]
fn image_build_reaches_the_compiler() {
    let stage = tempfile::tempdir().expect("a folder");
    let context = Context::of(Path::new(ROOT));
    let mut here = stage.path().to_owned();
    let mut variables = BTreeMap::new();
    let mut built = false;
    for step in dockerfile::build_stage(Path::new(ROOT)) {
        match step {
            Step::Workdir(folder) => here = within(stage.path(), &here, &folder),
            Step::Variable(name, value) => drop(variables.insert(name, value)),
            Step::Copy { sources, target } => context.copy(&sources, &target, &within(stage.path(), &here, &target)),
            Step::Run(commands) => built |= run(&here, &variables, &commands),
        }
    }
    assert!(built, "no step of the Dockerfile builds anything");
}

#[test]
fn image_context_has_every_source() {
    let context = Context::of(Path::new(ROOT));
    let rule = fs::read_to_string(Path::new(env!("CARGO_BIN_EXE_tidegate")).with_extension("d"));
    let rule = rule.expect("the program's sources, which Cargo lists beside it").replace("\\ ", "\0");
    let sources = rule.split_once(": ").expect("a rule of make").1.split_whitespace();
    let sources: Vec<_> = sources.map(|path| path.replace('\0', " ")).collect();
    // Not ROOT: Cargo does not build anew what has moved with its folder.
    let root = sources.iter().find_map(|path| path.strip_suffix("src/main.rs")).expect("the program's main file");
    let paths = sources.iter().filter_map(|path| path.strip_prefix(root));
    let missing: Vec<_> = paths.filter(|path| !context.has(Path::new(path))).collect();
    assert!(missing.is_empty(), ".dockerignore keeps from the image what the program is made of: {missing:?}");
}

#[test]
fn image_copies_what_its_build_installs() {
    let program = Path::new(env!("CARGO_BIN_EXE_tidegate")).file_name().expect("a name");
    let installed: Vec<_> = dockerfile::build_stage(Path::new(ROOT)).iter().filter_map(Step::installs_to).collect();
    let installed: Vec<_> = installed.iter().map(|root| Path::new(root).join("bin").join(program)).collect();
    let copied = dockerfile::taken_from_build(Path::new(ROOT));
    assert_eq!(copied, installed, "what is copied from the build stage, and what the build leaves there");
}

/// The path in `stage`, the folder that stands for `/`, that `path` is for a step which runs in `here`.
fn within(stage: &Path, here: &Path, path: &str) -> PathBuf {
    path.strip_prefix('/').map_or_else(|| here.join(path), |path| stage.join(path))
}

/// Runs commands of the Dockerfile, without a network, and says whether they came to the compiler.
fn run(here: &Path, variables: &BTreeMap<String, String>, commands: &str) -> bool {
    let harmless = |command: &str| ["cargo ", "find . "].iter().any(|start| command.trim().starts_with(start));
    assert!(commands.split("&&").all(harmless), "this test does not know whether it may run: {commands}");
    let folder = tempfile::tempdir().expect("a folder");
    let ended = Command::new("sh")
        .args(["-ec", commands])
        .current_dir(here)
        .envs(variables)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", folder.path())
        .env("RUSTC_WRAPPER", COMPILER)
        .output()
        .expect("a shell");
    let complaint = String::from_utf8_lossy(&ended.stderr);
    let builds = commands.contains("cargo ");
    assert!(if builds { complaint.contains(REACHED) } else { ended.status.success() }, "{commands}\n{complaint}");
    builds
}
