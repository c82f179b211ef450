//! The man pages. With `MAN=folder` they are written there, for packages: `make man`.

use std::path::PathBuf;
use std::{env, fs};

#[test]
fn man_pages_cover_every_command() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = env::var_os("MAN").map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    fs::create_dir_all(&folder).expect("a folder");
    clap_mangen::generate_to(tidegate::cli::command(), &folder).expect("pages");
    let command = tidegate::cli::command();
    let names = command.get_subcommands().map(|command| format!("tidegate-{}.1", command.get_name()));
    for name in names.chain(["tidegate.1".to_owned()]) {
        let page = fs::read_to_string(folder.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
}
