use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::gate::AnswerCounts;

/// How far back what counts as recent goes, and how often it is noted. A guess: as long as the evidence of the pools.
const RECENT: Duration = Duration::from_mins(2);
const STEP: Duration = Duration::from_secs(10);

/// What each route's requests had met at some moments of the last minutes.
#[derive(Debug, Default)]
pub(super) struct RecentAnswers {
    noted: VecDeque<(Instant, Vec<AnswerCounts>)>,
}

impl RecentAnswers {
    /// Notes what has been met by now, unless that was done a moment ago.
    pub(super) fn note(&mut self, now: Instant, counts: impl FnOnce() -> Vec<AnswerCounts>) {
        if self.noted.back().is_some_and(|(at, _)| now < *at + STEP) {
            return;
        }
        // The last that is too old stays: what came after it is recent.
        while self.noted.get(1).is_some_and(|(at, _)| *at + RECENT <= now) {
            self.noted.pop_front();
        }
        self.noted.push_back((now, counts()));
    }

    /// What each route's requests met in the last minutes: all of it if nothing has been noted.
    pub(super) fn since(&self, now: Vec<AnswerCounts>) -> Vec<AnswerCounts> {
        let Some((_, before)) = self.noted.front() else { return now };
        let since =
            |(at, now): (usize, AnswerCounts)| before.get(at).map_or_else(|| now.clone(), |before| now.since(before));
        now.into_iter().enumerate().map(since).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_reach_back_two_minutes() {
        let (mut recent, start) = (RecentAnswers::default(), tokio::time::Instant::now().into_std());
        for second in 0..600 {
            recent.note(start + Duration::from_secs(second), Vec::new);
        }
        let reach = start + Duration::from_secs(599) - recent.noted[0].0;
        assert!((RECENT..RECENT + 2 * STEP).contains(&reach), "{reach:?}");
        assert_eq!(recent.noted.len(), 13);
    }
}
