use std::time::Instant;

use super::{Lesson, Pool, Rate};

/// How much of a pool instance there is, and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The tightest of its limits, configured or learned.
    pub limit: Rate,
    /// What the trailing window holds.
    pub used: u64,
}

impl Pool {
    /// How much of it there is, and is used; nothing where no limit is known.
    pub fn load(&mut self, now: Instant) -> Option<Load> {
        let learned = self.lesson(now).and_then(Lesson::limit);
        let written = self.windows.iter().filter(|window| !window.is_open()).map(super::window::Window::rate);
        let limit = written.chain(learned).max_by_key(|rate| rate.interval())?;
        let same = self.windows.iter_mut().find(|window| window.rate().per() == limit.per());
        Some(Load { limit, used: same.map_or(0, |window| window.used(now)) })
    }
}
