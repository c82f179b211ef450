use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::complaint::Complaint;
use super::with::with;
use super::{Limits, Options};

/// What the stand-in remembers: objects on shelves, each shelf called by the path of its collection.
#[derive(Debug)]
pub(super) struct World {
    pub(super) limits: Limits,
    pub(super) options: Options,
    chance: Mutex<fastrand::Rng>,
    started: Instant,
    ids: AtomicU64,
    objects: Mutex<HashMap<String, Shelf>>,
}

type Shelf = IndexMap<String, Value>;

/// Which objects of a collection are asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    order: Option<String>,
    after: Option<String>,
}

/// The stand-in knows no wall clock: it starts in this second, and goes on from there. Any second would do.
const EPOCH: u64 = 1_790_000_000;

impl World {
    pub(super) fn new(limits: Limits, options: Options) -> Self {
        Self {
            limits,
            chance: Mutex::new(fastrand::Rng::with_seed(options.seed)),
            options,
            started: Instant::now(),
            ids: AtomicU64::new(1),
            objects: Mutex::default(),
        }
    }

    /// This second, as in `created_at`.
    pub(super) fn now(&self) -> u64 {
        EPOCH + self.started.elapsed().as_secs()
    }

    /// A new id, as in `msg_…`.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:024x}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// A time between nothing and `most`.
    pub(super) fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }

    /// The words of every answer, each with the space before it.
    pub(super) fn words(&self) -> Vec<String> {
        let said = "These words come from Tidegate's stand-in for the OpenAI API, not from a model.";
        let words = said.split_inclusive(' ').chain([" "]).cycle().filter(|word| *word != " ");
        let mut words: Vec<String> = words.take(self.options.words.max(1)).map(str::to_owned).collect();
        if let Some(last) = words.last_mut() {
            last.truncate(last.trim_end().len());
        }
        words
    }

    /// Puts an object on a shelf and hands it back.
    pub(super) fn put(&self, shelf: &str, object: Value) -> Value {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        self.shelves().entry(shelf.to_owned()).or_default().insert(id, object.clone());
        object
    }

    pub(super) fn find(&self, shelf: &str, id: &str) -> Result<Value, Complaint> {
        self.shelves().get(shelf).and_then(|shelf| shelf.get(id)).cloned().ok_or_else(|| missing(id))
    }

    /// Sets fields of an object.
    pub(super) fn change(&self, shelf: &str, id: &str, changes: &Value) -> Result<Value, Complaint> {
        let mut kept = self.shelves();
        let object = kept.get_mut(shelf).and_then(|shelf| shelf.get_mut(id)).ok_or_else(|| missing(id))?;
        *object = with(object.take(), changes);
        Ok(object.clone())
    }

    pub(super) fn remove(&self, shelf: &str, id: &str) -> Result<Value, Complaint> {
        let removed = self.shelves().get_mut(shelf).and_then(|shelf| shelf.shift_remove(id));
        removed.ok_or_else(|| missing(id))
    }

    /// A page of a shelf, the newest first unless asked otherwise.
    pub(super) fn list(&self, shelf: &str, page: &Page) -> Value {
        let kept = self.shelves();
        let objects = kept.get(shelf).map(|shelf| shelf.values().collect::<Vec<_>>()).unwrap_or_default();
        let ordered: Vec<&Value> = match page.order.as_deref() {
            Some("asc") => objects,
            _ => objects.into_iter().rev().collect(),
        };
        let after = page.after.as_deref();
        let skipped = after.and_then(|after| ordered.iter().position(|object| object["id"] == after));
        let rest = &ordered[skipped.map_or(0, |position| position + 1)..];
        let data = &rest[..rest.len().min(page.limit.unwrap_or(20))];
        let id = |object: Option<&&Value>| object.map(|object| object["id"].clone());
        json!({
            "object": "list", "data": data, "first_id": id(data.first()), "last_id": id(data.last()),
            "has_more": data.len() < rest.len(),
        })
    }

    /// Sets fields of an object once it has been in progress for a while, if it still is.
    pub(super) fn finish(self: &Arc<Self>, shelf: String, object: &Value, changes: Value) {
        let (world, id) = (Arc::clone(self), object["id"].as_str().unwrap_or_default().to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(world.options.work).await;
            if world.find(&shelf, &id).is_ok_and(|object| object["status"] == "in_progress") {
                // Nobody waits for this one any more if it has been deleted.
                let _ = world.change(&shelf, &id, &changes);
            }
        });
    }

    /// Forgets every object and every arrival.
    pub(super) fn reset(&self) {
        self.shelves().clear();
        self.limits.reset();
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<String, Shelf>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(id: &str) -> Complaint {
    Complaint::not_found(format!("No object found with id '{id}'."))
}
