//! What has been sent since the state was last written: a line for each pool of each request, handed to the system before the
//! request goes. So a gate that is killed forgets nothing; only a machine that stops may lose some seconds of it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::file::{StoreFile, create_anew, read_text};
use super::moment::up;
use super::names::Names;
use crate::admission::{Commit, CommitLog};
use crate::limit::PoolId;

/// Two files that take turns: while a state is being written, the other one has what was sent since the last.
#[derive(Debug)]
pub(super) struct Journal {
    paths: [PathBuf; 2],
    run: String,
    names: Arc<Names>,
    current: RwLock<Current>,
    fails: AtomicBool,
}

#[derive(Debug, Default)]
struct Current {
    file: Option<File>,
    which: usize,
}

/// A charge of a request that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JournalLine {
    /// How long the machine had been up.
    pub(super) up: Duration,
    /// How many requests had been sent, that one included.
    pub(super) number: u64,
    pub(super) cost: u32,
    pub(super) pool: PoolId,
    pub(super) key: String,
}

/// What ends the names of the two files.
const ENDINGS: [&str; 2] = [".sent-a", ".sent-b"];

/// What the first line begins with; the name of the run follows, which the state has as well.
const RUN: &str = "run ";

impl Journal {
    /// Nothing is written before [`Journal::turn`].
    pub(super) fn new(file: &StoreFile, run: &str, names: Arc<Names>) -> Self {
        let paths = ENDINGS.map(|ending| file.beside(ending));
        Self { paths, run: run.to_owned(), names, current: RwLock::default(), fails: AtomicBool::new(false) }
    }

    /// Goes on in the other file, which is emptied: whatever it has must be in a state that has been written.
    pub(super) fn turn(&self) -> io::Result<()> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let which = 1 - current.which;
        let mut file = create_anew(&self.paths[which])?;
        writeln!(file, "{RUN}{}", self.run)?;
        *current = Current { file: Some(file), which };
        Ok(())
    }

    /// What a run has sent, by the files beside `file`, in the order in which it was. Lines of pools that are not there any more,
    /// and what was cut off, are left out.
    pub(super) fn read(file: &StoreFile, run: &str, names: &Names) -> Vec<JournalLine> {
        let texts = ENDINGS.iter().filter_map(|ending| read_text(&file.beside(ending)).ok().flatten());
        let mut lines: Vec<JournalLine> = texts.flat_map(|text| lines_of(&text, run, names)).collect();
        lines.sort_by_key(|line| line.number);
        lines
    }
}

impl CommitLog for Journal {
    fn committed(&self, commit: &Commit) {
        let up = up().as_micros();
        let mut text = String::with_capacity(64 * commit.charges.len());
        for (pool, key, cost) in &commit.charges {
            self.names.with(*pool, |name| {
                // As JSON: a model's name may be any text.
                let key = serde_json::Value::from(&**key);
                writeln!(text, "{up} {} {cost} {} {} {key}", commit.number, name.pool, name.unit_text())
                    .expect("a text takes any text");
            });
        }
        if self.fails.load(Ordering::Relaxed) {
            // The last line may have been cut off.
            text.insert(0, '\n');
        }
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let written = current.file.as_ref().map_or(Ok(()), |mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => self.fails.store(false, Ordering::Relaxed),
            Err(error) if !self.fails.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "what is sent cannot be written beside [store] path: a crash would forget it");
            }
            Err(_) => {}
        }
    }
}

fn lines_of(text: &str, run: &str, names: &Names) -> Vec<JournalLine> {
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    if lines.next().and_then(|line| line.strip_prefix(RUN)) != Some(run) {
        return Vec::new();
    }
    lines.filter_map(|line| line_of(line, names)).collect()
}

fn line_of(line: &str, names: &Names) -> Option<JournalLine> {
    let mut parts = line.splitn(6, ' ');
    let up = Duration::from_micros(parts.next()?.parse().ok()?);
    let (number, cost) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (pool, unit, key) = (parts.next()?, parts.next()?, parts.next()?);
    let key: String = serde_json::from_str(key).ok()?;
    Some(JournalLine { up, number, cost, pool: names.find(pool, unit, &key)?, key })
}
