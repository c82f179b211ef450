use std::io::Write;
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::output::log_lines;

/// How far a simulation is, on standard error, where that is a terminal, once it takes long.
pub(super) struct Progress {
    began: Instant,
    what: String,
    shown: Option<u64>,
}

/// A simulation that takes no longer shows no progress. A guess: people begin to wonder.
const LONG: Duration = Duration::from_secs(1);

/// Takes away what the line of the terminal shows (ECMA-48, EL).
const CLEAR: &str = "\r\x1b[2K";

impl Progress {
    pub(super) fn new(what: &str) -> Self {
        Self { began: Instant::now(), what: what.to_owned(), shown: None }
    }

    /// So many thousandths are done.
    pub(super) fn reaches(&mut self, part: u64) {
        let percent = part / 10;
        if self.shown == Some(percent) || self.began.elapsed() < LONG || !log_lines().is_terminal() {
            return;
        }
        self.shown = Some(percent);
        let left =
            self.began.elapsed().as_millis() * u128::from(1_000_u64.saturating_sub(part)) / u128::from(part.max(1));
        drop(write!(log_lines(), "{CLEAR}{percent:>3} % of {}, {} s left", self.what, left / 1_000));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            drop(write!(log_lines(), "{CLEAR}"));
        }
    }
}
