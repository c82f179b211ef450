use std::time::Duration;

use super::failed::Failed;
use super::io::Traffic;
use super::outgoing::Upload;
use super::prefetched::STALL;

/// How long an upstream may take no byte of a body that waits to be written. nginx waits as long (`proxy_send_timeout`).
const UNTAKEN: Duration = Duration::from_mins(1);

/// What an upload has come to: as long as it changes, the upload gets on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    written: u64,
    /// All that the client has sent has been written.
    is_starved: bool,
}

impl Progress {
    pub(super) fn of(upload: &Upload, traffic: &Traffic) -> Self {
        Self { written: traffic.written(), is_starved: upload.is_starved() }
    }

    /// Over HTTP/2, where other requests share the connection, it is pieces that are counted.
    pub(super) fn in_pieces(upload: &Upload) -> Self {
        Self { written: upload.pieces(), is_starved: upload.is_starved() }
    }

    /// How long it may stay so.
    pub(super) fn limit(self) -> Duration {
        if self.is_starved { STALL } else { UNTAKEN }
    }

    /// Whose fault it is that it has stayed so for too long.
    pub(super) fn failed(self) -> Failed {
        if self.is_starved { Failed::Stalled(STALL) } else { Failed::Untaken(UNTAKEN) }
    }
}
