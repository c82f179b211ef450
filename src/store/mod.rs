//! State store: what a gate knows, on disk over a restart, so that it goes on as if it had never stopped.
//!
//! A [`Store`] is one file with a lock beside it and a [`journal`]. The file ([`page`]) is replaced as a whole, each second if
//! anything has changed and as the gate ends: what is used of the limits, the places of clients that come back, and what was
//! learned of the upstream. The journal has every request that was sent since; it is handed to the system before the request
//! goes. Times are told by ages, which a [`moment`] ties to the clocks that go on over a restart. Nothing secret is in it: keys
//! of pool instances are hashed as in `/status`.

mod file;
mod journal;
mod lock;
mod moment;
mod names;
mod page;
mod place;
mod recall;
#[cfg(test)]
mod tests;

pub use file::UnusableFile;
pub use place::StatePlace;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, RequestTotals};
use crate::config::Config;
use crate::limit::SavedInstance;
use file::StoreFile;
use journal::Journal;
use lock::StoreLock;
use moment::Moment;
use names::Names;
use page::StateFile;

/// How often the state is written, if it has changed. Short, so that little has to be read again from the journal.
const EVERY: Duration = Duration::from_secs(1);

/// Where the state of one gate is kept.
#[derive(Debug)]
pub struct Store {
    file: StoreFile,
    _lock: StoreLock,
    names: Arc<Names>,
    journal: Arc<Journal>,
    /// Tells this gate's writings from those of the one before.
    run: String,
    /// What the file says.
    written: Option<(RequestTotals, Vec<SavedInstance>)>,
    /// The last time it could not be written.
    fails: bool,
}

/// One text to be written.
struct NextState {
    text: String,
    totals: RequestTotals,
    estimates: Vec<SavedInstance>,
}

impl Store {
    /// A store in this file, of a gate with this configuration. What is there is left alone.
    ///
    /// # Errors
    /// [`UnusableFile`]: nothing could ever be written there, or another gate has it.
    pub fn open(path: &Path, config: &Config) -> Result<Self, UnusableFile> {
        let file = StoreFile::open(path)?;
        let owner = format!("the gate with process id {}, for {},", std::process::id(), config.server.listen);
        let lock = StoreLock::take(&file, &owner)?;
        let names = Arc::new(Names::new(config));
        let run = run_name(Moment::now());
        let journal = Arc::new(Journal::new(&file, &run, Arc::clone(&names)));
        Ok(Self { file, _lock: lock, names, journal, run, written: None, fails: false })
    }

    /// What was so before the start counts on, and each request is written down from now on. A file that cannot be read is put
    /// aside. `starts_full`: where nothing tells what was sent, everything that may have been is taken for sent.
    pub fn begin(&mut self, admission: &Admission, starts_full: bool) {
        self.recall(admission, starts_full);
        // The old journal is void from here on: it is of another run.
        let next = self.next_state(admission, false);
        let written = self.file.write(&next.text, false);
        self.is_done(written, next);
        if let Err(error) = self.journal.turn() {
            tracing::warn!(%error, "what is sent cannot be written beside [store] path: a crash would forget it");
        }
        admission.log_commits(Arc::clone(&self.journal) as _);
    }

    /// Writes the state from time to time, and a last time when it is told to stop.
    pub async fn keep(mut self, admission: Admission, stopped: CancellationToken) {
        let mut due = interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stopped.run_until_cancelled(due.tick()).await.is_some() {
            if self.has_changed(&admission) {
                self.save(&admission, false).await;
            }
        }
        self.save(&admission, true).await;
    }

    fn has_changed(&self, admission: &Admission) -> bool {
        let is_old =
            |(totals, estimates): &(_, _)| *totals != admission.totals() || *estimates != admission.saved_estimates();
        self.written.as_ref().is_none_or(is_old)
    }

    /// Writes what is so now. Cancelled halfway, the file is the old one or the new one.
    async fn save(&mut self, admission: &Admission, is_last: bool) {
        // While the file cannot be written, all that was sent since it was stays in the journal.
        if !self.fails && !is_last {
            drop(self.journal.turn());
        }
        let next = self.next_state(admission, is_last);
        let (file, text) = (self.file.clone(), next.text.clone());
        let writing = tokio::task::spawn_blocking(move || file.write(&text, is_last));
        let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        self.is_done(written, next);
    }

    fn next_state(&self, admission: &Admission, clean: bool) -> NextState {
        let now = Moment::now();
        let (state, estimates) = (admission.saved_state(), admission.saved_estimates());
        let mut page = StateFile::of(&state, &estimates, &self.names, now);
        (page.run, page.clean) = (self.run.clone(), clean);
        NextState { text: page.text(), totals: state.totals, estimates }
    }

    fn is_done(&mut self, written: io::Result<()>, next: NextState) {
        let file = self.file.path().display();
        match written {
            Ok(()) => {
                self.written = Some((next.totals, next.estimates));
                if std::mem::take(&mut self.fails) {
                    tracing::info!(%file, "the state is written again");
                }
            }
            Err(error) if !std::mem::replace(&mut self.fails, true) => {
                tracing::warn!(%file, %error, "the state cannot be written: a restart would forget what is used and learned");
            }
            Err(_) => {}
        }
    }
}

/// A name that no other run has: the process, and when it began.
fn run_name(now: Moment) -> String {
    format!("{}-{}", std::process::id(), now.wall.as_micros())
}
