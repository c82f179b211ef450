use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use indexmap::IndexMap;

use super::Check;
use crate::config::Pool;
use crate::config::file::{self, Text};
use crate::config::report::Problem;
use crate::limit::PoolId;
use crate::route::{KeyPart, RouteCharge, Table, Template, Weight};

impl Check {
    pub(super) fn routes(&mut self, file: &[file::Route], pools: &[Pool]) -> Table {
        let by_name: HashMap<&str, PoolId> =
            pools.iter().enumerate().map(|(index, pool)| (pool.name.as_str(), PoolId(index))).collect();
        let mut table = Table::default();
        for route in file {
            let template = self.parsed::<Template>(Some(&route.matches), "not a match", "");
            let charges = route.pools.iter().filter_map(|text| self.charge(text, template.as_ref(), pools, &by_name));
            let charges: Vec<_> = charges.collect();
            self.sums(route, &charges, pools);
            let priority = self.parsed(route.priority.as_ref(), "not a priority", "").unwrap_or_default();
            let Some(template) = template else { continue };
            if let Err(tie) = table.insert(&template, charges, priority) {
                let label = format!("matches requests of '{}', and is no more specific", table.route(tie.with).name);
                let mend = "leave those requests to one of the two, or make one more specific";
                self.problems.push(Problem::new("two routes for one request", route.matches.span(), label, mend));
            }
        }
        table
    }

    fn charge(
        &mut self,
        text: &Text,
        template: Option<&Template>,
        pools: &[Pool],
        by_name: &HashMap<&str, PoolId>,
    ) -> Option<RouteCharge> {
        let (name, weight) = text.as_ref().split_once(':').unwrap_or((text.as_ref(), "1"));
        let Some(&id) = by_name.get(name) else {
            let known = pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>().join(", ");
            let mend = if known.is_empty() {
                "there are none yet: add [pools.NAME]".to_owned()
            } else {
                format!("there are: {known}")
            };
            self.problems.push(Problem::new(format!("no pool '{name}'"), text.span(), "not among the pools", mend));
            return None;
        };
        let weight: Weight = match weight.parse() {
            Ok(weight) => weight,
            Err(error) => {
                self.problems.push(Problem::new("not a cost", text.span(), format!("{error}"), ""));
                return None;
            }
        };
        let pool = &pools[id.0];
        if pool.limits.requests.is_empty() && weight != Weight::Fixed(NonZeroU32::MIN) {
            let mend = format!("write \"{name}\", or give that pool a rate");
            let label = "only requests in flight are counted there";
            self.problems.push(Problem::new("a cost without a rate", text.span(), label, mend));
        }
        if let Weight::Fixed(cost) = weight
            && let Err(never) = pool.limits.fits(cost.get())
        {
            let label = format!("{cost} is more than {} ever admits", never.limit);
            let mend = format!("write a cost of at most {}, or raise the pool's limit", never.limit.amount());
            self.problems.push(Problem::new(format!("pool '{name}' can never admit this"), text.span(), label, mend));
        }
        self.key_params(text, template, pool);
        Some(RouteCharge { pool: id, weight, key: Arc::clone(&pool.key) })
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
