use std::env;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::StorePath;

/// Which file a gate keeps its state in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePlace {
    /// One that the configuration names: a gate that cannot use it does not start.
    Named(PathBuf),
    /// The one where the platform keeps such things: a gate that cannot use it goes on without.
    Usual(PathBuf),
    /// None, for this reason.
    Off(&'static str),
}

/// Where a container has its volume.
const VOLUME: &str = "/var/lib/tidegate";

impl StatePlace {
    /// The place of a gate with this setting, at this address.
    #[must_use]
    pub fn find(setting: &StorePath, listen: SocketAddr) -> Self {
        match setting {
            StorePath::Off => Self::Off("the configuration says so"),
            StorePath::File(path) => Self::Named(path.clone()),
            StorePath::Usual => Self::usual(listen, |name| env::var_os(name).map(PathBuf::from), Path::new("/")),
        }
    }

    /// The usual one in this environment. A gate on any free port is another one each time it starts.
    pub(super) fn usual(listen: SocketAddr, variable: impl Fn(&str) -> Option<PathBuf>, root: &Path) -> Self {
        if listen.port() == 0 {
            return Self::Off("port 0 is another one each time; [store] path names a file");
        }
        let absolute = |name| variable(name).filter(|path| path.is_absolute());
        let name = format!("{listen}.json").replace([':', '[', ']'], "-");
        // systemd names several with colons between.
        if let Some(folder) = variable("STATE_DIRECTORY").as_ref().and_then(|folders| env::split_paths(folders).next())
        {
            return Self::Usual(folder.join(name));
        }
        if is_in_container(&variable, root) {
            let volume = root.join(VOLUME.trim_start_matches('/'));
            return if is_mounted(&volume) {
                Self::Usual(volume.join(name))
            } else {
                Self::Off("a container forgets its files; mount a volume at /var/lib/tidegate, or write [store] path")
            };
        }
        let home = || {
            Some(absolute("HOME")?.join(if cfg!(target_os = "macos") {
                "Library/Application Support"
            } else {
                ".local/state"
            }))
        };
        match absolute("XDG_STATE_HOME").or_else(home) {
            Some(folder) => Self::Usual(folder.join("tidegate").join(name)),
            None => Self::Off("neither $STATE_DIRECTORY nor $HOME names a folder; [store] path names a file"),
        }
    }
}

/// Docker, Podman, Kubernetes and systemd-nspawn say so.
fn is_in_container(variable: impl Fn(&str) -> Option<PathBuf>, root: &Path) -> bool {
    let says = ["container", "KUBERNETES_SERVICE_HOST"].iter().any(|name| variable(name).is_some());
    says || [".dockerenv", "run/.containerenv"].iter().any(|file| root.join(file).exists())
}

/// Whether a file system of its own is there.
fn is_mounted(folder: &Path) -> bool {
    let device = |path: &Path| path.metadata().ok().filter(std::fs::Metadata::is_dir).map(|folder| folder.dev());
    let (own, parent) = (device(folder), folder.parent().and_then(device));
    own.is_some() && own != parent
}
