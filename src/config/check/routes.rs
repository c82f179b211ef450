use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use indexmap::IndexMap;

use super::Check;
use crate::config::Pool;
use crate::config::file::{self, Text};
use crate::limit::{Learn, PoolId, Unit};
use crate::problem::{Problem, did_you_mean};
use crate::route::{KeyPart, RouteCharge, Table, Template, Weight};

impl Check {
    pub(super) fn routes(&mut self, file: &[file::Route], pools: &[Pool]) -> Table {
        let mut table = Table::with_fallback(fallback(pools));
        for route in file {
            let template = self.parsed::<Template>(Some(&route.matches), "not a match", "");
            let charges = route.pools.iter().flat_map(|text| self.charges(text, template.as_ref(), pools));
            let charges = tokens_once(charges.collect());
            self.sums(route, &charges, pools);
            let priority = self.parsed(route.priority.as_ref(), "not a priority", "").unwrap_or_default();
            let Some(template) = template else { continue };
            let is_metered = charges.iter().any(|charge| pools[charge.pool.0].limits.unit == Unit::Tokens);
            match table.insert(&template, charges, priority) {
                Ok(id) => table.route_mut(id).is_metered = is_metered,
                Err(tie) => self.two_routes(route, &table.route(tie.with).name),
            }
        }
        table
    }

    fn two_routes(&mut self, route: &file::Route, other: &str) {
        let label = format!("matches requests of '{other}', and is no more specific");
        let mend = "leave those requests to one of the two, or make one more specific";
        self.problems.push(Problem::new("two routes for one request", route.matches.span(), label, mend));
    }

    /// What one of its pools is named for: for requests what is written, for tokens as many as there are.
    fn charges(&mut self, text: &Text, template: Option<&Template>, pools: &[Pool]) -> Vec<RouteCharge> {
        let (name, weight) = text.as_ref().split_once(':').unwrap_or((text.as_ref(), "1"));
        let named = || pools.iter().enumerate().filter(|(_, pool)| pool.name == name && !pool.implicit);
        let Some((_, first)) = named().next() else {
            self.no_pool(text, name, pools);
            return Vec::new();
        };
        let weight: Weight = match weight.parse() {
            Ok(weight) => weight,
            Err(error) => {
                self.problems.push(Problem::new("not a cost", text.span(), format!("{error}"), ""));
                return Vec::new();
            }
        };
        self.weight(text, &weight, first);
        self.key_params(text, template, first);
        let charge = |(index, pool): (usize, &Pool)| RouteCharge {
            pool: PoolId(index),
            weight: if pool.limits.unit == Unit::Tokens { Weight::Tokens } else { weight.clone() },
            key: Arc::clone(&pool.key),
        };
        named().map(charge).collect()
    }

    fn no_pool(&mut self, text: &Text, name: &str, pools: &[Pool]) {
        let mut known: Vec<&str> = pools.iter().filter(|pool| !pool.implicit).map(|pool| pool.name.as_str()).collect();
        known.dedup();
        let mend = if known.is_empty() {
            "there are none yet: add [pools.NAME]".to_owned()
        } else {
            let meant = did_you_mean(name, known.iter().copied()).map_or(String::new(), |meant| meant + " ");
            format!("{meant}there are: {}", known.join(", "))
        };
        self.problems.push(Problem::new(format!("no pool '{name}'"), text.span(), "not among the pools", mend));
    }

    /// Says which costs make no sense to a pool.
    fn weight(&mut self, text: &Text, weight: &Weight, Pool { name, limits, .. }: &Pool) {
        let is_plain = *weight == Weight::Fixed(NonZeroU32::MIN);
        let label = match limits.unit {
            Unit::Tokens => "only tokens are counted there, as many as a request has",
            Unit::Requests => "only requests in flight are counted there",
        };
        let counts = limits.unit == Unit::Requests && (limits.learn != Learn::Never || !limits.requests.is_empty());
        if !counts && !is_plain {
            let mend = format!("write \"{name}\", or give that pool a rate of requests");
            self.problems.push(Problem::new("a cost without a rate", text.span(), label, mend));
        } else if let Weight::Fixed(cost) = weight
            && let Err(never) = limits.fits(cost.get())
        {
            let label = format!("{cost} is more than {} ever admits", never.limit);
            let mend = format!("write a cost of at most {}, or raise the pool's limit", never.limit.amount());
            self.problems.push(Problem::new(format!("pool '{name}' can never admit this"), text.span(), label, mend));
        }
    }

    /// A route may name a pool several times, and takes the sum.
    fn sums(&mut self, route: &file::Route, charges: &[RouteCharge], pools: &[Pool]) {
        let mut sums: IndexMap<PoolId, u32> = IndexMap::new();
        for charge in charges {
            if let Weight::Fixed(cost) = charge.weight {
                let sum = sums.entry(charge.pool).or_default();
                *sum = sum.saturating_add(cost.get());
            }
        }
        for (pool, sum) in sums {
            let Pool { name, limits, .. } = &pools[pool.0];
            let names = charges.iter().filter(|charge| charge.pool == pool).count();
            if let (Err(never), true) = (limits.fits(sum), names > 1) {
                let label = format!("takes {sum} of pool '{name}', more than {} ever admits", never.limit);
                let mend = "name the pool once, with what one request takes of it";
                let what = "a route that can never be admitted";
                self.problems.push(Problem::new(what, route.matches.span(), label, mend));
            }
        }
    }

    /// A pool that is keyed by a path parameter needs it in the path.
    fn key_params(&mut self, at: &Text, template: Option<&Template>, pool: &Pool) {
        let Some(template) = template else { return };
        for part in &*pool.key {
            if let KeyPart::Path(name) = part
                && !template.params().any(|param| param == &**name)
            {
                let label = format!("keyed by path.{name}, and '{template}' has no {{{name}}}");
                let mend = format!("name a segment of the match {{{name}}}, or use a pool without that key");
                let what = format!("pool '{}' has no key here", pool.name);
                self.problems.push(Problem::new(what, at.span(), label, mend));
            }
        }
    }
}

/// Where a route names a pool several times, the costs in requests add up; its tokens are the same ones.
fn tokens_once(mut charges: Vec<RouteCharge>) -> Vec<RouteCharge> {
    let mut counted = HashSet::new();
    charges.retain(|charge| charge.weight != Weight::Tokens || counted.insert(charge.pool));
    charges
}

/// What a request takes that no route takes to any pool.
fn fallback(pools: &[Pool]) -> Option<RouteCharge> {
    let index = pools.iter().position(|pool| pool.implicit)?;
    Some(RouteCharge {
        pool: PoolId(index),
        weight: Weight::Fixed(NonZeroU32::MIN),
        key: Arc::clone(&pools[index].key),
    })
}
