use std::time::Duration;

use tokio::time::timeout;

use super::failed::Failed;
use super::io::Traffic;
use super::outgoing::Upload;

/// How much longer than a client an upstream may do nothing. Its system takes what is written before it does, and a busy
/// one lets it lie: with the 30 s of a client, it has the 60 s of nginx (`proxy_send_timeout`).
const OF_UPSTREAM: u32 = 2;

/// What an upload has come to: as long as it changes, the upload gets on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    taken: u64,
    /// All that the client has sent has been taken.
    is_starved: bool,
    stall: Duration,
}

impl Progress {
    /// Over a connection of its own, whose bytes are counted.
    pub(super) fn of(upload: &Upload, traffic: &Traffic) -> Self {
        Self { taken: traffic.written(), is_starved: upload.is_starved(), stall: upload.stall() }
    }

    fn of_pieces(upload: &Upload) -> Self {
        Self { taken: upload.pieces(), is_starved: upload.is_starved(), stall: upload.stall() }
    }

    /// How long it may stay so.
    pub(super) fn limit(self) -> Duration {
        if self.is_starved { self.stall } else { self.stall * OF_UPSTREAM }
    }

    /// Whose fault it is that it has stayed so for too long.
    pub(super) fn failed(self) -> Failed {
        if self.is_starved { Failed::Stalled(self.limit()) } else { Failed::Untaken(self.limit()) }
    }
}

/// Waits until an upload over a shared connection is over; says why if it gets on no longer. May be dropped at any time.
pub(super) async fn over(upload: &mut Upload) -> Result<(), Failed> {
    let (mut before, mut looks) = (Progress::of_pieces(upload), 0);
    while timeout(before.stall, upload.over()).await.is_err() {
        let now = Progress::of_pieces(upload);
        looks = if now == before { looks + 1 } else { 0 };
        if now.stall * looks >= now.limit() && looks > 0 {
            return Err(now.failed());
        }
        before = now;
    }
    Ok(())
}
