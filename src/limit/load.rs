use std::time::Instant;

use super::{Lesson, Pool, Rate};

/// How much of a pool instance there is, and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// One of its limits, configured or learned.
    pub limit: Rate,
    /// What the trailing window holds.
    pub used: u64,
}

impl Load {
    /// Which part of it is used, where 1 is all.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(u32::try_from(self.used).unwrap_or(u32::MAX)) / f64::from(self.limit.amount())
    }
}

impl Pool {
    /// Its tightest limit in the long run, and what of it is used; nothing where no limit is known.
    pub fn load(&mut self, now: Instant) -> Option<Load> {
        let learned = self.lesson(now).and_then(Lesson::limit);
        let written = self.windows.iter().filter(|window| !window.is_open()).map(super::window::Window::rate);
        let limit = written.chain(learned).max_by_key(|rate| rate.interval())?;
        let same = self.windows.iter_mut().find(|window| window.rate().per() == limit.per());
        Some(Load { limit, used: same.map_or(0, |window| window.used(now)) })
    }

    /// The limit in force that is nearest to its end, configured or learned, as far as it counts what goes; nothing where
    /// none is known.
    pub fn nearest(&mut self, now: Instant) -> Option<Load> {
        let configured = self.windows.iter_mut().filter(|window| !window.is_open());
        let configured = configured.map(|window| Load { limit: window.rate(), used: window.used(now) });
        let configured = configured.max_by(|one, other| one.ratio().total_cmp(&other.ratio()));
        let learned = self.lesson(now).and_then(|lesson| self.learned_load(now, lesson));
        configured.into_iter().chain(learned).max_by(|one, other| one.ratio().total_cmp(&other.ratio()))
    }

    fn learned_load(&self, now: Instant, lesson: Lesson) -> Option<Load> {
        let limit = lesson.limit()?;
        if let Lesson::Told { left, .. } = lesson {
            return Some(Load { limit, used: u64::from(limit.amount()).saturating_sub(left) });
        }
        let since = now.checked_sub(limit.per())?;
        let used = self.windows.iter().map(|log| log.spent_since(since)).max()?;
        Some(Load { limit, used })
    }
}
