//! What the file and the journal say, at the start.

use std::collections::HashMap;

use super::Store;
use super::file::UnreadFile;
use super::journal::Journal;
use super::moment::{Moment, Past};
use super::page::{InstanceName, StateFile};
use crate::admission::Admission;

impl Store {
    /// What was so before the start counts on.
    pub(super) fn recall(&self, admission: &Admission, starts_full: bool) {
        let read = self.file.read().and_then(|text| text.as_deref().map(StateFile::read).transpose());
        let page = read.unwrap_or_else(|error| {
            self.put_aside(&error);
            None
        });
        let is_whole = page.as_ref().is_some_and(|page| page.clean || page.written.is_of_this_boot());
        if starts_full && !is_whole {
            admission.start_full();
            tracing::info!("nothing tells what was sent before: every limit counts as just used up (cold = \"full\")");
        }
        if let Some(page) = page {
            self.recall_page(&page, admission, Moment::now());
        }
    }

    pub(super) fn recall_page(&self, page: &StateFile, admission: &Admission, now: Moment) {
        let past = page.written.past(now);
        for used in page.pools.iter().filter_map(|row| row.used(&self.names, past)) {
            admission.restore_use(&used);
        }
        let sent_since = self.recommit(page, admission, past);
        let retries: Vec<_> = page.retries.iter().filter_map(|row| row.retry(&self.names, past)).collect();
        retries.iter().for_each(|retry| admission.restore_retry(retry));
        let estimates = self.recall_estimates(page, admission, past);
        let (instances, places) = (page.pools.len(), retries.len());
        tracing::info!(
            instances,
            sent_since,
            places,
            estimates,
            clean = page.clean,
            "the state before the start holds again"
        );
    }

    /// What was sent after the state was written is in the journal.
    fn recommit(&self, page: &StateFile, admission: &Admission, past: Past) -> usize {
        let known: HashMap<&InstanceName, u64> = page.pools.iter().map(|row| (&row.at, row.sent())).collect();
        let mut count = 0_usize;
        for line in Journal::read(&self.file, &page.run, &self.names) {
            let at = InstanceName::of(line.pool, &line.key, &self.names);
            if line.number > known.get(&at).copied().unwrap_or(page.sent) {
                admission.recommit(past.age_at(line.up), line.pool, &line.key, line.cost);
                count += 1;
            }
        }
        count
    }

    fn recall_estimates(&self, page: &StateFile, admission: &Admission, past: Past) -> usize {
        let mut recalled = 0_usize;
        for row in &page.estimates {
            let estimate = row.estimate(&self.names, past);
            match estimate.and_then(|estimate| Ok(admission.recall(&estimate)?)) {
                Ok(()) => recalled += 1,
                Err(reason) => tracing::debug!(pool = row.at.pool, %reason, "a saved estimate is dropped"),
            }
        }
        recalled
    }

    fn put_aside(&self, error: &UnreadFile) {
        let file = self.file.path().display();
        let aside = self.file.put_aside().ok().map(|aside| aside.display().to_string());
        tracing::warn!(%file, %error, aside, "the state cannot be read: the gate starts without it");
    }
}
