use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The wish that the program stop: SIGTERM or SIGINT. SIGHUP is none for `serve`; any other command ends by it at once, as
/// by its terminal.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
