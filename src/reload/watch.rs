use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::reloader::Reloader;
use crate::fingerprint::Fingerprint;

/// How often the file is looked at. As long as an editor may take to write one.
const EVERY: Duration = Duration::from_secs(1);

/// What tells one state of a file from another. Links are followed, so that a swapped one counts, as Kubernetes swaps those of
/// a ConfigMap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    length: u64,
    written: (i64, i64),
}

/// Reloads whenever the file has changed and has then been left alone for a second. Ends when it is dropped.
pub async fn watch(reloader: Arc<Reloader>, file: PathBuf) {
    let mut due = interval(EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = FileStamp::of(&file);
    // It may have changed since it was read at the start.
    let is_loaded = fs::read(&file).is_ok_and(|text| Fingerprint::of(&text).to_string() == reloader.config().hash);
    let mut loaded = seen.filter(|_| is_loaded);
    loop {
        due.tick().await;
        let now = FileStamp::of(&file);
        let is_left_alone = now == seen;
        seen = now;
        if now != loaded && now.is_some() && is_left_alone {
            loaded = now;
            let reloader = Arc::clone(&reloader);
            // What it says is logged, and told by `/status`.
            drop(spawn_blocking(move || reloader.reload()).await);
        }
    }
}

impl FileStamp {
    /// Nothing where there is no file for the moment.
    fn of(file: &Path) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        let written = (Metadata::mtime(&metadata), metadata.mtime_nsec());
        Some(Self { device: metadata.dev(), inode: metadata.ino(), length: metadata.len(), written })
    }
}
