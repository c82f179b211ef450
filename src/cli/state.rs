use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::config::Config;
use crate::gate::Gate;
use crate::replicas::Replica;
use crate::store::{StatePlace, Store, UnusableFile};

/// What was so before the start holds again, and what is so from now on is kept.
pub(super) fn keep_state(
    config: &Config,
    admission: &Admission,
    stopped: CancellationToken,
) -> Result<Option<JoinHandle<()>>, UnusableFile> {
    let Some(mut store) = open_store(config)? else {
        if config.store.starts_full {
            admission.start_full();
        }
        return Ok(None);
    };
    store.begin(admission, config.store.starts_full);
    Ok(Some(tokio::spawn(store.keep(admission.clone(), stopped))))
}

/// Where the limits are shared with other gates, they are from now on; ends with what the gate has given back.
pub(super) fn share_limits(config: &Config, gate: &Gate, stopped: CancellationToken) -> Option<JoinHandle<()>> {
    let store = config.shared.as_ref()?;
    let replica = Replica::join(config, store, gate.admission());
    gate.shares(replica.view());
    tracing::info!("limits are shared through {store}");
    Some(tokio::spawn(replica.run(stopped)))
}

/// The store, if there is to be one. Where the configuration does not name it, a gate that has none goes on without.
fn open_store(config: &Config) -> Result<Option<Store>, UnusableFile> {
    match StatePlace::find(&config.store.path, config.server.listen) {
        StatePlace::Named(path) => Store::open(&path, config).map(Some),
        StatePlace::Usual(path) => {
            let made = path.parent().map_or(Ok(()), make_folder);
            let opened = made.map_err(|error| error.to_string());
            match opened.and_then(|()| Store::open(&path, config).map_err(|error| error.to_string())) {
                Ok(store) => Ok(Some(store)),
                Err(why) => {
                    tracing::warn!("a restart will forget what is used of the limits: {why}");
                    Ok(None)
                }
            }
        }
        StatePlace::Off(why) => {
            tracing::info!("a restart will forget what is used of the limits: {why}");
            Ok(None)
        }
    }
}

/// Only the gate's own user reads there.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
