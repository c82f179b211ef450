//! State store: what has been learned of the upstream's limits, on disk over a restart.
//!
//! A [`Store`] is one file. A [`page`] is what it says, with times by the wall clock, and a [`moment`] tells those from
//! the ages that the ground floor counts in. Nothing secret is in it: keys of pool instances are hashed as in `/status`.

mod file;
mod moment;
mod page;
#[cfg(test)]
mod tests;

pub use file::UnusableFile;

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::config::Pool;
use crate::limit::SavedInstance;
use file::{StoreFile, UnreadFile};
use moment::Moment;
use page::{LearnedFile, PoolNames};

/// How often it is looked whether something has been learned. A guess: so much is lost when the gate is killed.
const EVERY: Duration = Duration::from_secs(30);

/// Where what is learned is kept. Each gate needs one of its own.
#[derive(Debug)]
pub struct Store {
    file: StoreFile,
    names: PoolNames,
    /// What the file says.
    written: Vec<SavedInstance>,
    /// The last time it could not be written.
    fails: bool,
}

impl Store {
    /// A store in this file, of what these pools learn. What is there is left alone.
    ///
    /// # Errors
    /// [`UnusableFile`]: nothing could ever be written there.
    pub fn open(path: &Path, pools: &[Pool]) -> Result<Self, UnusableFile> {
        Ok(Self { file: StoreFile::open(path)?, names: PoolNames::new(pools), written: Vec::new(), fails: false })
    }

    /// What was learned before holds again, as far as it still says anything. A file that cannot be read is put aside.
    pub fn recall(&self, admission: &Admission) {
        match self.file.read().and_then(|text| text.as_deref().map(LearnedFile::read).transpose()) {
            Ok(page) => self.recall_page(&page.unwrap_or_default(), admission, Moment::now()),
            Err(error) => self.start_afresh(&error),
        }
    }

    /// Writes what is learned from time to time, and a last time when it is told to stop.
    pub async fn keep(mut self, admission: Admission, stopped: CancellationToken) {
        let mut due = interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stopped.run_until_cancelled(due.tick()).await.is_some() {
            self.save(&admission).await;
        }
        self.save(&admission).await;
    }

    fn recall_page(&self, page: &LearnedFile, admission: &Admission, now: Moment) {
        let mut recalled = 0_usize;
        for entry in &page.estimates {
            let estimate = entry.estimate(&self.names, now);
            match estimate.and_then(|estimate| Ok(admission.recall(&estimate)?)) {
                Ok(()) => recalled += 1,
                Err(reason) => tracing::debug!(pool = entry.pool, %reason, "a saved estimate is dropped"),
            }
        }
        if !page.estimates.is_empty() {
            tracing::info!(recalled, of = page.estimates.len(), "what was learned before the start holds again");
        }
    }

    fn start_afresh(&self, error: &UnreadFile) {
        let file = self.file.path().display();
        let aside = self.file.put_aside().ok().map(|aside| aside.display().to_string());
        tracing::warn!(%file, %error, aside, "learned_file cannot be read: learning starts afresh");
    }

    /// Writes what is known, if that has changed. Cancelled halfway, the file is the old one or the new one.
    async fn save(&mut self, admission: &Admission) {
        let estimates = admission.saved_estimates();
        if estimates == self.written {
            return;
        }
        let text = LearnedFile::of(&estimates, &self.names, Moment::now()).text();
        let file = self.file.clone();
        let writing = tokio::task::spawn_blocking(move || file.write(&text));
        match writing.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => self.is_written(estimates),
            Err(error) => self.is_not_written(&error),
        }
    }

    fn is_written(&mut self, estimates: Vec<SavedInstance>) {
        self.written = estimates;
        if std::mem::take(&mut self.fails) {
            tracing::info!(file = %self.file.path().display(), "learned_file is written again");
        }
    }

    fn is_not_written(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.fails, true) {
            let file = self.file.path().display();
            tracing::warn!(%file, %error, "learned_file cannot be written: a restart would forget what is learned");
        }
    }
}
