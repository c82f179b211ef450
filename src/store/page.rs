//! The state as it is written. Times are ages in microseconds, counted back from when it was written; negative ones are still
//! to come.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::file::UnreadFile;
use super::moment::{Moment, Past, WrittenAt};
use super::names::Names;
use crate::admission::{ClientId, SavedInstanceUse, SavedRetry, SavedState};
use crate::limit::{Outdated, SavedEstimate, SavedInstance, SavedLimit, SavedPace, SavedPool, SavedUsage, SavedWindow};
use crate::route::Priority;

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StateFile {
    /// The form in which it says it.
    version: u32,
    /// Which gate wrote it: its journal has the same name.
    pub(super) run: String,
    /// It was written as the gate ended, with all that it had sent.
    pub(super) clean: bool,
    pub(super) written: WrittenAt,
    /// How many requests had been sent in all when it began to be written.
    pub(super) sent: u64,
    pub(super) pools: Vec<UseRow>,
    pub(super) retries: Vec<RetryRow>,
    pub(super) estimates: Vec<SavedRow>,
}

/// What is used of one pool instance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UseRow {
    #[serde(flatten)]
    pub(super) at: InstanceName,
    sent: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watched_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_retry_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    windows: Vec<WindowRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    paces: Vec<PaceRow>,
}

/// A pool instance by its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct InstanceName {
    pub(super) pool: String,
    pub(super) unit: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) key: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowRow {
    per_us: u64,
    /// When how much was sent, the oldest first.
    spent: Vec<(i64, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PaceRow {
    per_us: u64,
    paid_off_us: i64,
}

/// The place of a client that comes back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryRow {
    client: u64,
    priority: String,
    route: String,
    charges: Vec<(InstanceName, u32)>,
    turn_us: i64,
    ends_us: i64,
}

/// What has been learned of one pool instance.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedRow {
    #[serde(flatten)]
    pub(super) at: InstanceName,
    limit: SavedLimit,
    since_us: i64,
    heard_us: i64,
}

/// Why an entry does not hold any more.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum DroppedRow {
    #[error("there is no such pool any more")]
    NoPool,
    #[error("it is from before all time")]
    Timeless,
    #[error(transparent)]
    Outdated(#[from] Outdated),
}

const VERSION: u32 = 2;

impl StateFile {
    pub(super) fn of(state: &SavedState, estimates: &[SavedInstance], names: &Names, now: Moment) -> Self {
        Self {
            version: VERSION,
            run: String::new(),
            clean: false,
            written: WrittenAt::of(now),
            sent: state.totals.sent,
            pools: state.instances.iter().map(|used| UseRow::of(used, names, now)).collect(),
            retries: state.retries.iter().filter_map(|retry| RetryRow::of(retry, names, now)).collect(),
            estimates: estimates.iter().map(|estimate| SavedRow::of(estimate, names, now)).collect(),
        }
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
        let text = serde_json::to_string(self).expect("texts and numbers are JSON");
        text + "\n"
    }
}

impl UseRow {
    fn of(used: &SavedInstanceUse, names: &Names, now: Moment) -> Self {
        let SavedInstanceUse { pool: SavedPool { pool, key, usage }, next_retry, sent } = used;
        let per_us = |per: std::time::Duration| u64::try_from(per.as_micros()).unwrap_or(u64::MAX);
        let window = |SavedWindow { per, spent }: &SavedWindow| WindowRow {
            per_us: per_us(*per),
            spent: spent.iter().map(|&(at, cost)| (now.age_us(at), cost)).collect(),
        };
        let pace = |&SavedPace { per, paid_off }: &SavedPace| PaceRow {
            per_us: per_us(per),
            paid_off_us: now.age_us(paid_off),
        };
        Self {
            at: InstanceName::of(*pool, key, names),
            sent: *sent,
            watched_us: usage.watched.map(|at| now.age_us(at)),
            next_retry_us: next_retry.map(|at| now.age_us(at)),
            windows: usage.windows.iter().map(window).collect(),
            paces: usage.paces.iter().map(pace).collect(),
        }
    }

    /// What it says, with how many requests had been sent by then.
    pub(super) fn used(&self, names: &Names, past: Past) -> Option<SavedInstanceUse> {
        let micros = std::time::Duration::from_micros;
        // What is too old for an instant has left every window.
        let window = |row: &WindowRow| SavedWindow {
            per: micros(row.per_us),
            spent: row.spent.iter().filter_map(|&(age, cost)| Some((past.when(age)?, cost))).collect(),
        };
        let pace = |row: &PaceRow| Some(SavedPace { per: micros(row.per_us), paid_off: past.when(row.paid_off_us)? });
        let usage = SavedUsage {
            watched: self.watched_us.and_then(|age| past.when(age)),
            windows: self.windows.iter().map(window).collect(),
            paces: self.paces.iter().filter_map(pace).collect(),
        };
        let pool = SavedPool { pool: self.at.find(names)?, key: Arc::from(&*self.at.key), usage };
        let next_retry = self.next_retry_us.and_then(|age| past.when(age));
        Some(SavedInstanceUse { pool, next_retry, sent: self.sent })
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}

impl InstanceName {
    pub(super) fn of(pool: crate::limit::PoolId, key: &str, names: &Names) -> Self {
        names.with(pool, |name| Self {
            pool: name.pool.clone(),
            unit: name.unit_text().to_owned(),
            key: key.to_owned(),
        })
    }

    fn find(&self, names: &Names) -> Option<crate::limit::PoolId> {
        names.find(&self.pool, &self.unit, &self.key)
    }
}

impl RetryRow {
    fn of(retry: &SavedRetry, names: &Names, now: Moment) -> Option<Self> {
        let charges = retry.charges.iter().map(|(pool, key, cost)| (InstanceName::of(*pool, key, names), *cost));
        Some(Self {
            client: retry.client.0,
            priority: retry.priority.to_string(),
            route: names.route(retry.route)?,
            charges: charges.collect(),
            turn_us: now.age_us(retry.turn),
            ends_us: now.age_us(retry.ends),
        })
    }

    /// The place, if all that it names is still there.
    pub(super) fn retry(&self, names: &Names, past: Past) -> Option<SavedRetry> {
        let charge = |(at, cost): &(InstanceName, u32)| Some((at.find(names)?, Arc::from(&*at.key), *cost));
        Some(SavedRetry {
            client: ClientId(self.client),
            priority: self.priority.parse::<Priority>().ok()?,
            route: names.find_route(&self.route)?,
            charges: self.charges.iter().map(charge).collect::<Option<_>>()?,
            turn: past.when(self.turn_us)?,
            ends: past.when(self.ends_us)?,
        })
    }
}

impl SavedRow {
    fn of(estimate: &SavedInstance, names: &Names, now: Moment) -> Self {
        let SavedEstimate { limit, since, heard } = estimate.estimate;
        let at = InstanceName::of(estimate.pool, &estimate.key, names);
        Self { at, limit, since_us: now.age_us(since), heard_us: now.age_us(heard) }
    }

    pub(super) fn estimate(&self, names: &Names, past: Past) -> Result<SavedInstance, DroppedRow> {
        let pool = self.at.find(names).ok_or(DroppedRow::NoPool)?;
        let when = |age| past.when(age).ok_or(DroppedRow::Timeless);
        let estimate = SavedEstimate { limit: self.limit, since: when(self.since_us)?, heard: when(self.heard_us)? };
        Ok(SavedInstance { pool, key: Arc::from(&*self.at.key), estimate })
    }
}
