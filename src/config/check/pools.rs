use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::{Check, Defaults};
use crate::config::Pool;
use crate::config::file::{self, Text};
use crate::config::spanned::Spanned;
use crate::limit::{Learn, Limits, Rate, Shape, Share, Unit};
use crate::problem::Problem;
use crate::route::{KeyPart, Table};

/// Against jitter on the way: with 100 ms of it, 250 ms kept every exact window upstream (docs/upstream.md §6).
pub(super) const MARGIN: Duration = Duration::from_millis(250);

/// The part of a key that is the model.
const MODEL: &str = "body.model";

/// As the pool is called that holds what is learned where nobody wrote a pool.
pub(super) const IMPLICIT: &str = "learned";

impl Check {
    /// What is written as one pool: of requests, of tokens, or one of each.
    pub(super) fn pool(&mut self, name: &str, spanned: &Spanned<file::Pool>, defaults: Defaults) -> Vec<Pool> {
        let file = spanned.get_ref();
        let learns = file.learn.unwrap_or(defaults.learn);
        self.pool_name(name, spanned);
        self.pool_effects(name, spanned, learns);
        self.pool_bounds(file, defaults.queue);
        self.key_parts(file);
        let limits = self.limits(file, learns);
        let key: Arc<[KeyPart]> = file.key.iter().filter_map(|text| self.parsed(Some(text), "not a key", "")).collect();
        let max_wait = self.time(file.max_wait.as_ref(), defaults.max_wait);
        let poll_share = self.poll_share(file.poll_share.as_ref());
        let pool = |limits| Pool {
            name: name.to_owned(),
            limits,
            key: Arc::clone(&key),
            max_waiting: file.max_waiting.as_ref().map_or(defaults.queue.max_waiting, |most| *most.get_ref()),
            max_bytes: file.max_bytes.as_ref().map_or(u64::MAX, |most| most.get_ref().as_u64()),
            max_wait,
            refuse_when_full: file.when_full == Some(file::WhenFull::Refuse),
            poll_share,
            is_observed: file.mode.map_or(defaults.is_observed, |mode| mode == file::Mode::Observe),
            implicit: false,
        };
        limits.into_iter().map(pool).collect()
    }

    /// One for each unit that is counted. What is in flight is counted by the first.
    fn limits(&mut self, file: &file::Pool, learns: bool) -> Vec<Limits> {
        let rates = |check: &mut Self, texts: &[Text]| texts.iter().filter_map(|text| check.rate(Some(text))).collect();
        let (requests, tokens): (Vec<Rate>, Vec<Rate>) = (rates(self, &file.requests), rates(self, &file.tokens));
        self.covered_rates(&file.requests);
        self.covered_rates(&file.tokens);
        let shape = self.shape(file, requests.iter().chain(&tokens));
        let (margin, learn) = (self.time(file.margin.as_ref(), MARGIN), learn(file, learns));
        let of_models = learns && is_by_model(file);
        let counts_tokens = of_models || !file.tokens.is_empty();
        let counts_requests = of_models || !file.requests.is_empty() || !counts_tokens;
        let model_part = file.key.iter().position(|part| part.as_ref() == MODEL);
        let limits = |unit, requests| Limits {
            requests,
            in_flight: None,
            shape,
            margin,
            unit,
            learn,
            model_part,
            share: Share::WHOLE,
        };
        let requests = counts_requests.then(|| limits(Unit::Requests, requests));
        let tokens = counts_tokens.then(|| limits(Unit::Tokens, tokens));
        let mut counted: Vec<Limits> = requests.into_iter().chain(tokens).collect();
        counted[0].in_flight = file.in_flight.as_ref().map(|most| *most.get_ref());
        counted
    }

    fn pool_name(&mut self, name: &str, spanned: &Spanned<file::Pool>) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let (label, mend) = if name.is_empty() || !name.chars().all(is_plain) {
            ("this pool", "name it with letters, digits, - and _ only, as in [pools.files-upload]")
        } else if name == IMPLICIT {
            ("the gate's own pool has it, for limits that nobody wrote down", "give it another name")
        } else {
            return;
        };
        self.problems.push(Problem::new(format!("not a pool's name: {name:?}"), spanned.span(), label, mend));
    }

    /// Says of a pool that has no effect, and which of its settings have none beside its others.
    fn pool_effects(&mut self, name: &str, spanned: &Spanned<file::Pool>, learns: bool) {
        let file = spanned.get_ref();
        if !learns && has_no_rate(file) && file.in_flight.is_none() {
            let mend = "give it requests = [\"300/min\"], tokens = [\"200000/min\"] or in_flight = 50, or let it learn";
            self.idle(Problem::new(format!("pool '{name}' limits nothing"), spanned.span(), "no limit", mend));
        }
        if let (Some(margin), true) = (&file.margin, !learns && has_no_rate(file)) {
            let mend = "give the pool requests = [\"300/min\"], or take it out";
            self.idle(Problem::new("margin without a rate", margin.span(), "has no effect", mend));
        }
    }

    fn shape<'r>(&mut self, file: &file::Pool, mut rates: impl Iterator<Item = &'r Rate>) -> Shape {
        let smooth = file.shape.as_ref().filter(|shape| *shape.get_ref() == file::Shape::Smooth);
        let Some(smooth) = smooth else {
            if let Some(burst) = &file.burst {
                let mend =
                    "write shape = \"smooth\" beside it, or take it out: a window pool goes at once while it has room";
                let what = "burst without shape = \"smooth\"";
                self.idle(Problem::new(what, burst.span(), "has no effect", mend));
            }
            return Shape::Window;
        };
        if has_no_rate(file) {
            let mend = "give the pool requests = [\"300/min\"]";
            let what = "an even pace of nothing";
            self.idle(Problem::new(what, smooth.span(), "there is no rate to pace", mend));
        }
        let burst = file.burst.as_ref().map_or(NonZeroU32::MIN, |burst| *burst.get_ref());
        if let (Some(at), Some(rate)) = (&file.burst, rates.find(|rate| rate.amount() < burst.get())) {
            let label = format!("more than {rate} ever admits");
            let mend = format!("write at most burst = {}", rate.amount());
            self.problems.push(Problem::new("burst above the limit", at.span(), label, mend));
        }
        Shape::Smooth { burst }
    }

    pub(super) fn unused_pools(&mut self, file: &IndexMap<String, Spanned<file::Pool>>, pools: &[Pool], table: &Table) {
        let charges = table.routes().flat_map(|(_, route)| &route.charges);
        let used: HashSet<&str> = charges.map(|charge| &*pools[charge.pool.0].name).collect();
        for (name, pool) in file.iter().filter(|(name, _)| !used.contains(&***name)) {
            let mend = format!("name it in the pools of a route, as in pools = [\"{name}\"], or take it out");
            let what = format!("pool '{name}' is used by no route");
            self.idle(Problem::new(what, pool.span(), "limits nothing", mend));
        }
    }
}

fn has_no_rate(file: &file::Pool) -> bool {
    file.requests.is_empty() && file.tokens.is_empty()
}

/// Where models have no limits but those of the upstream, nothing can be known before an answer tells.
fn learn(file: &file::Pool, learns: bool) -> Learn {
    match (learns, is_by_model(file) && has_no_rate(file)) {
        (false, _) => Learn::Never,
        (true, false) => Learn::Tighten,
        (true, true) => Learn::Discover,
    }
}

fn is_by_model(file: &file::Pool) -> bool {
    file.key.iter().any(|part| part.as_ref() == MODEL)
}
