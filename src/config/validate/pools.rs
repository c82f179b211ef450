use std::num::NonZeroU32;
use std::time::Duration;

use indexmap::IndexMap;
use toml::Spanned;

use super::Check;
use crate::config::file;
use crate::config::report::Problem;
use crate::config::{Pool, Queue};
use crate::limit::{Learn, Limits, PoolId, Rate, Shape, Unit};
use crate::route::{RouteCharge, Table};

/// Against jitter on the way: with 100 ms of it, 250 ms kept every exact window upstream (UPSTREAM.md §6, 2026-11-24).
const MARGIN: Duration = Duration::from_millis(250);

impl Check {
    pub(super) fn pool(&mut self, name: &str, spanned: &Spanned<file::Pool>, queue: Queue, max_wait: Duration) -> Pool {
        let file = spanned.get_ref();
        if file.requests.is_empty() && file.in_flight.is_none() {
            let mend = "give it requests = [\"300/min\"], in_flight = 50, or both";
            self.problems.push(Problem::new(format!("pool '{name}' limits nothing"), spanned.span(), "no limit", mend));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_plain) {
            let mend = "name it with letters, digits, - and _ only, as in [pools.files-upload]";
            self.problems.push(Problem::new(format!("not a pool's name: {name:?}"), spanned.span(), "this pool", mend));
        }
        self.pool_effects(file);
        let requests: Vec<Rate> = file.requests.iter().filter_map(|text| self.rate(Some(text))).collect();
        let shape = self.shape(file, &requests);
        let key = file.key.iter().filter_map(|text| self.parsed(Some(text), "not a key", ""));
        Pool {
            name: name.to_owned(),
            key: key.collect(),
            limits: Limits {
                shape,
                requests,
                in_flight: file.in_flight,
                margin: self.time(file.margin.as_ref(), MARGIN),
                unit: Unit::Requests,
                learn: Learn::default(),
                model_part: None,
            },
            max_waiting: file.max_waiting.unwrap_or(queue.max_waiting),
            max_bytes: file.max_bytes.map_or(u64::MAX, |most| most.as_u64()),
            max_wait: self.time(file.max_wait.as_ref(), max_wait),
            refuse_when_full: file.when_full == Some(file::WhenFull::Refuse),
        }
    }

    /// Says which settings of a pool have no effect beside its others.
    fn pool_effects(&mut self, file: &file::Pool) {
        if let (Some(margin), true) = (&file.margin, file.requests.is_empty()) {
            let mend = "give the pool requests = [\"300/min\"], or take it out";
            self.problems.push(Problem::new("margin without a rate", margin.span(), "has no effect", mend));
        }
        if let (Some(file::WhenFull::Refuse), Some(max_wait)) = (file.when_full, &file.max_wait) {
            let mend = "take it out, or write when_full = \"queue\"";
            let what = "max_wait beside when_full = \"refuse\"";
            self.problems.push(Problem::new(what, max_wait.span(), "nobody waits", mend));
        }
    }

    fn shape(&mut self, file: &file::Pool, requests: &[Rate]) -> Shape {
        let smooth = file.shape.as_ref().filter(|shape| *shape.get_ref() == file::Shape::Smooth);
        let Some(smooth) = smooth else {
            if let Some(burst) = &file.burst {
                let mend =
                    "write shape = \"smooth\" beside it, or take it out: a window pool goes at once while it has room";
                let what = "burst without shape = \"smooth\"";
                self.problems.push(Problem::new(what, burst.span(), "has no effect", mend));
            }
            return Shape::Window;
        };
        if file.requests.is_empty() {
            let mend = "give the pool requests = [\"300/min\"]";
            let what = "an even pace of nothing";
            self.problems.push(Problem::new(what, smooth.span(), "there is no rate to pace", mend));
        }
        let burst = file.burst.as_ref().map_or(NonZeroU32::MIN, |burst| *burst.get_ref());
        if let (Some(at), Some(rate)) = (&file.burst, requests.iter().find(|rate| rate.amount() < burst.get())) {
            let label = format!("more than {rate} ever admits");
            let mend = format!("write at most burst = {}", rate.amount());
            self.problems.push(Problem::new("burst above the limit", at.span(), label, mend));
        }
        Shape::Smooth { burst }
    }

    pub(super) fn unused_pools(&mut self, file: &IndexMap<String, Spanned<file::Pool>>, pools: &[Pool], table: &Table) {
        for (index, pool) in pools.iter().enumerate() {
            let charged = |charge: &RouteCharge| charge.pool == PoolId(index);
            if !table.routes().any(|(_, route)| route.charges.iter().any(charged)) {
                let at = file.get(&pool.name).map_or(0..0, Spanned::span);
                let mend =
                    format!("name it in the pools of a route, as in pools = [\"{}\"], or take it out", pool.name);
                let what = format!("pool '{}' is used by no route", pool.name);
                self.problems.push(Problem::new(what, at, "limits nothing", mend));
            }
        }
    }
}
