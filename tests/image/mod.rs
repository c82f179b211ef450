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
    let sources =
        rust_files(&Path::new(ROOT).join("src")).into_iter().chain(rust_files(&Path::new(ROOT).join("crates")));
    let sources: Vec<PathBuf> = sources.collect();
    let included: Vec<PathBuf> = sources.iter().flat_map(|source| included(source)).collect();
    assert!(included.iter().any(|path| path.ends_with("config/default.toml")), "{included:?}");
    let root = Path::new(ROOT).canonicalize().expect("the folder of the sources");
    let path = |path: &PathBuf| path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let paths: Vec<PathBuf> = sources.iter().chain(&included).map(path).collect();
    let paths = paths.iter().map(|path| path.strip_prefix(&root).expect("a part of the sources"));
    let missing: Vec<_> = paths.filter(|path| !context.has(path)).collect();
    assert!(missing.is_empty(), ".dockerignore keeps from the image what the program is made of: {missing:?}");
}

/// The sources in a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = paths.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The files whose text or bytes a source takes in by their names.
fn included(source: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(source).expect("a source");
    let named = ["include_str!(\"", "include_bytes!(\""].into_iter().flat_map(|include| text.split(include).skip(1));
    let names = named.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name);
    names.map(|name| source.parent().expect("a folder").join(name)).collect()
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
    let harmless =
        |command: &str| ["cargo ", "find . ", "mkdir /out/"].iter().any(|start| command.trim().starts_with(start));
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
