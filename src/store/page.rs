use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::file::UnreadFile;
use super::moment::Moment;
use crate::config::Pool;
use crate::limit::{Outdated, PoolId, SavedEstimate, SavedInstance, SavedLimit, Unit};

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LearnedFile {
    /// The form in which it says it.
    version: u32,
    pub(super) estimates: Vec<SavedRow>,
}

/// What has been learned of one pool instance. Times are in seconds since the Unix epoch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedRow {
    pub(super) pool: String,
    unit: Unit,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    key: String,
    limit: SavedLimit,
    since: u64,
    heard: u64,
}

/// Why an entry does not hold any more.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum DroppedRow {
    #[error("there is no such pool any more")]
    NoPool,
    #[error("it is from another time: the clock has jumped")]
    Timeless,
    #[error(transparent)]
    Outdated(#[from] Outdated),
}

/// The pools by their names, which last longer than their numbers.
#[derive(Debug)]
pub(super) struct PoolNames(Vec<PoolName>);

#[derive(Debug)]
struct PoolName {
    pool: String,
    unit: Unit,
    has_key: bool,
}

const VERSION: u32 = 1;

impl Default for LearnedFile {
    fn default() -> Self {
        Self { version: VERSION, estimates: Vec::new() }
    }
}

impl LearnedFile {
    pub(super) fn of(estimates: &[SavedInstance], names: &PoolNames, now: Moment) -> Self {
        let estimates = estimates.iter().map(|estimate| SavedRow::of(estimate, names, now));
        Self { version: VERSION, estimates: estimates.collect() }
    }

    pub(super) fn read(text: &str) -> Result<Self, UnreadFile> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        match serde_json::from_str(text)? {
            Versioned { version: VERSION } => Ok(serde_json::from_str(text)?),
            Versioned { version } => Err(UnreadFile::Version(version)),
        }
    }

    pub(super) fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("texts and numbers are JSON");
        text + "\n"
    }
}

impl SavedRow {
    fn of(estimate: &SavedInstance, names: &PoolNames, now: Moment) -> Self {
        let PoolName { pool, unit, .. } = &names.0[estimate.pool.0];
        let SavedEstimate { limit, since, heard } = estimate.estimate;
        let (since, heard) = (now.wall_at(since), now.wall_at(heard));
        Self { pool: pool.clone(), unit: *unit, key: estimate.key.to_string(), limit, since, heard }
    }

    pub(super) fn estimate(&self, names: &PoolNames, now: Moment) -> Result<SavedInstance, DroppedRow> {
        let pool = names.find(self).ok_or(DroppedRow::NoPool)?;
        let when = |wall| now.when(wall).ok_or(DroppedRow::Timeless);
        let estimate = SavedEstimate { limit: self.limit, since: when(self.since)?, heard: when(self.heard)? };
        Ok(SavedInstance { pool, key: Arc::from(&*self.key), estimate })
    }
}

impl PoolNames {
    pub(super) fn new(pools: &[Pool]) -> Self {
        let name = |Pool { name, limits, key, .. }: &Pool| PoolName {
            pool: name.clone(),
            unit: limits.unit,
            has_key: !key.is_empty(),
        };
        Self(pools.iter().map(name).collect())
    }

    fn find(&self, entry: &SavedRow) -> Option<PoolId> {
        let is_meant = |name: &PoolName| {
            name.pool == entry.pool && name.unit == entry.unit && name.has_key != entry.key.is_empty()
        };
        self.0.iter().position(is_meant).map(PoolId)
    }
}
