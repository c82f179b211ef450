use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// A bar on standard error, where that is a terminal, once it takes long.
pub(super) struct Progress {
    began: Instant,
    what: String,
    bar: Option<ProgressBar>,
}

/// Who waits no longer than this need not be told how far it is.
const LONG: Duration = Duration::from_secs(1);

/// How long the bar is, in parts.
const PARTS: u64 = 1_000;

const LOOKS: &str = "{bar:40} {percent:>3} % of {msg}, {eta} left";

impl Progress {
    pub(super) fn new(what: &str) -> Self {
        Self { began: Instant::now(), what: what.to_owned(), bar: None }
    }

    pub(super) fn reaches(&mut self, part: u64) {
        if self.bar.is_none() && self.began.elapsed() < LONG {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(PARTS).with_message(self.what.clone()).with_elapsed(self.began.elapsed());
            bar.with_style(ProgressStyle::with_template(LOOKS).unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_position(part);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
