use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::proxy::Gate;

/// Opens the access log's file anew on each SIGHUP, as `logrotate` asks for it. Without such a file the signal means what
/// it always does.
pub(super) fn heed(config: &config::Log, gate: &Gate, stopped: CancellationToken) -> io::Result<()> {
    if config.access.as_ref().is_none_or(|access| access.file.is_none()) {
        return Ok(());
    }
    let (mut moved, gate) = (signal(SignalKind::hangup())?, gate.clone());
    let heeding = async move {
        while moved.recv().await.is_some() {
            gate.logs().reopen();
            tracing::info!("the access log is opened anew");
        }
    };
    tokio::spawn(stopped.run_until_cancelled_owned(heeding));
    Ok(())
}
