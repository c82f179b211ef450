//! Where a gate keeps its state if its configuration does not say.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::store::StatePlace;

fn usual(listen: &str, variables: &[(&str, &str)], root: &Path) -> StatePlace {
    let variables: HashMap<&str, PathBuf> = variables.iter().map(|&(name, value)| (name, value.into())).collect();
    StatePlace::usual(listen.parse().expect("an address"), |name| variables.get(name).cloned(), root)
}

#[test]
fn platform_names_the_folder_and_the_address_names_the_file() {
    let root = TempDir::new().expect("a folder");
    let at = |listen, variables: &[_]| usual(listen, variables, root.path());
    let (home, xdg, systemd) = (("HOME", "/home/me"), ("XDG_STATE_HOME", "/xdg"), ("STATE_DIRECTORY", "/var/lib/a:/b"));
    let local = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };
    for (listen, variables, path) in [
        ("127.0.0.1:4290", &[home][..], format!("/home/me/{local}/tidegate/127.0.0.1-4290.json")),
        ("[::1]:9", &[home, xdg], "/xdg/tidegate/---1--9.json".to_owned()),
        ("127.0.0.1:4290", &[home, xdg, systemd], "/var/lib/a/127.0.0.1-4290.json".to_owned()),
    ] {
        assert_eq!(at(listen, variables), StatePlace::Usual(path.into()));
    }
    for (listen, variables) in
        [("127.0.0.1:0", &[home][..]), ("127.0.0.1:1", &[]), ("127.0.0.1:1", &[("HOME", "here")])]
    {
        assert!(matches!(at(listen, variables), StatePlace::Off(_)), "{listen} {variables:?}");
    }
}

#[test]
fn container_without_a_volume_keeps_nothing() {
    let root = TempDir::new().expect("a folder");
    fs::write(root.path().join(".dockerenv"), "").expect("a file");
    fs::create_dir_all(root.path().join("var/lib/tidegate")).expect("a folder");
    let home = ("HOME", "/home/me");
    assert!(matches!(usual("127.0.0.1:1", &[home], root.path()), StatePlace::Off(why) if why.contains("volume")));
    let kubernetes = [home, ("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
    assert!(matches!(usual("127.0.0.1:1", &kubernetes, Path::new("/")), StatePlace::Off(_)));
}
