use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api_error::ApiError;
use super::limits::MockLimits;
use super::options::Options;
use super::with::with;

/// The state of the mock: its limits, and the objects of each collection by the collection's path.
#[derive(Debug)]
pub(super) struct MockState {
    pub(super) limits: MockLimits,
    pub(super) options: Options,
    chance: Mutex<fastrand::Rng>,
    started: Instant,
    ids: AtomicU64,
    objects: Mutex<HashMap<String, Collection>>,
}

type Collection = IndexMap<String, Value>;

/// The query of a listing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ListQuery {
    limit: Option<usize>,
    order: Option<String>,
    after: Option<String>,
}

/// The mock has no wall clock: it starts at this Unix time. Any would do.
const EPOCH: u64 = 1_790_000_000;

impl MockState {
    pub(super) fn new(limits: MockLimits, options: Options) -> Self {
        Self {
            limits,
            chance: Mutex::new(fastrand::Rng::with_seed(options.seed)),
            options,
            started: Instant::now(),
            ids: AtomicU64::new(1),
            objects: Mutex::default(),
        }
    }

    /// The current Unix time, as in `created_at`.
    pub(super) fn now(&self) -> u64 {
        EPOCH + self.started.elapsed().as_secs()
    }

    /// A new id, as in `msg_…`.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:024x}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// A random time up to `most`.
    pub(super) fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }

    /// The words of every answer, each with the space after it.
    pub(super) fn words(&self) -> Vec<String> {
        let said = "These words come from Tidegate's stand-in for the OpenAI API, not from a model.";
        let words = said.split_inclusive(' ').chain([" "]).cycle().filter(|word| *word != " ");
        let mut words: Vec<String> = words.take(self.options.words.max(1)).map(str::to_owned).collect();
        if let Some(last) = words.last_mut() {
            last.truncate(last.trim_end().len());
        }
        words
    }

    /// Stores an object in a collection and returns it.
    pub(super) fn put(&self, collection: &str, object: Value) -> Value {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        self.collections().entry(collection.to_owned()).or_default().insert(id, object.clone());
        object
    }

    pub(super) fn find(&self, collection: &str, id: &str) -> Result<Value, ApiError> {
        self.collections().get(collection).and_then(|collection| collection.get(id)).cloned().ok_or_else(|| missing(id))
    }

    /// Sets fields of an object.
    pub(super) fn change(&self, collection: &str, id: &str, changes: &Value) -> Result<Value, ApiError> {
        let mut kept = self.collections();
        let object =
            kept.get_mut(collection).and_then(|collection| collection.get_mut(id)).ok_or_else(|| missing(id))?;
        *object = with(object.take(), changes);
        Ok(object.clone())
    }

    pub(super) fn remove(&self, collection: &str, id: &str) -> Result<Value, ApiError> {
        let removed = self.collections().get_mut(collection).and_then(|collection| collection.shift_remove(id));
        removed.ok_or_else(|| missing(id))
    }

    /// A page of a collection, the newest object first by default.
    pub(super) fn list(&self, collection: &str, page: &ListQuery) -> Value {
        let kept = self.collections();
        let objects =
            kept.get(collection).map(|collection| collection.values().collect::<Vec<_>>()).unwrap_or_default();
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

    /// Changes an object after its time in progress, if it is still in progress then.
    pub(super) fn finish(self: &Arc<Self>, collection: String, object: &Value, changes: Value) {
        let (state, id) = (Arc::clone(self), object["id"].as_str().unwrap_or_default().to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(state.options.work).await;
            if state.find(&collection, &id).is_ok_and(|object| object["status"] == "in_progress") {
                // An error means that it was deleted meanwhile.
                let _ = state.change(&collection, &id, &changes);
            }
        });
    }

    /// Forgets all objects and all arrivals.
    pub(super) fn reset(&self) {
        self.collections().clear();
        self.limits.reset();
    }

    fn collections(&self) -> MutexGuard<'_, HashMap<String, Collection>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("No object found with id '{id}'."))
}
