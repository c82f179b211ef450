use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::gate::Gate;
use crate::reload::Reloader;

/// SIGHUP, which from now on ends the gate no more. Nor does a file that reaches the limit of its size (`ulimit -f`): the write
/// fails, as on a full disk.
pub(super) fn listen() -> io::Result<Signal> {
    drop(signal(SignalKind::from_raw(libc::SIGXFSZ))?);
    signal(SignalKind::hangup())
}

/// Opens the access log's file anew on each SIGHUP, as `logrotate` asks for it, and reloads the configuration.
pub(super) fn heed(
    mut hangups: Signal,
    config: &config::LogConfig,
    gate: &Gate,
    reloader: Option<Arc<Reloader>>,
    stopped: CancellationToken,
) {
    let (gate, has_file) = (gate.clone(), config.access.as_ref().is_some_and(|access| access.file.is_some()));
    let heeding = async move {
        while hangups.recv().await.is_some() {
            if has_file {
                gate.telemetry().reopen();
                tracing::info!("the access log is opened anew");
            } else if reloader.is_none() {
                tracing::info!("SIGHUP is ignored: there is no access_file to reopen; SIGTERM stops the gate");
            }
            if let Some(reloader) = reloader.clone() {
                // What it says is logged.
                drop(spawn_blocking(move || reloader.reload()).await);
            }
        }
    };
    tokio::spawn(stopped.run_until_cancelled_owned(heeding));
}
