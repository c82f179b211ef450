use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indexmap::IndexMap;

use super::Options;
use super::arrival::Arrival;
use super::budget::{Budget, Standing, Whose};
use super::cap::{Cap, Cost, Measure};
use super::script::Step;
use super::stats::{PoolStats, Stats};
use super::traffic::Traffic;
use super::verdict::{Denied, Verdict};
use crate::limit::{PoolId, Unit};
use crate::meter::Meter;
use crate::route::{Ask, Found, Table};
use crate::settings::{PoolSettings, Settings};

/// The limits of the stand-in: those of the configuration, enforced its own way, and those of models.
#[derive(Debug)]
pub(super) struct Limits {
    routes: Arc<Table>,
    pools: Vec<PoolSettings>,
    options: Options,
    traffic: Mutex<Traffic>,
}

/// What a request takes from which budget.
type Costs = IndexMap<Whose, Cost>;

impl Limits {
    pub(super) fn new(settings: &Settings, options: Options) -> Self {
        let traffic = Mutex::new(Traffic::new(&options));
        Self { routes: Arc::clone(&settings.routes), pools: settings.pools.clone(), options, traffic }
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Found {
        self.routes.find(method, path)
    }

    pub(super) fn reads_body(&self, arrival: &Arrival) -> bool {
        self.routes.reads_body(&arrival.found) || (self.options.quotas.any() && arrival.may_count_for_a_model())
    }

    /// A request arrives: it takes from all of its budgets, or from none and is refused.
    pub(super) fn arrive(&self, now: Instant, arrival: &Arrival) -> Verdict {
        let costs = self.costs(arrival);
        let traffic = &mut *self.traffic();
        let clock = traffic.begin(now);
        let denied = self.judge(traffic, now, arrival, &costs);
        traffic.count(clock, now, denied.as_ref());
        let standing = self.standing(traffic, now, &costs);
        Verdict { denied, latency: traffic.weather.latency, standing }
    }

    /// Changes the weather at once.
    pub(super) fn change(&self, now: Instant, step: &Step) {
        let mut traffic = self.traffic();
        traffic.turn(now);
        traffic.change(now, step);
    }

    pub(super) fn stats(&self, now: Instant) -> Stats {
        let mut traffic = self.traffic();
        traffic.turn(now);
        let (mut pools, mut models) = (Vec::new(), Vec::new());
        for (whose, budget) in &traffic.budgets {
            match whose {
                Whose::Pool(pool, key) => {
                    pools.extend(PoolStats::all(&self.pools[pool.0].name, key.as_deref(), budget));
                }
                Whose::Model { name, account } => models.extend(PoolStats::all(name, account.as_deref(), budget)),
            }
        }
        Stats::new(&traffic.tally, pools, models)
    }

    /// Forgets every arrival, and every change.
    pub(super) fn reset(&self) {
        *self.traffic() = Traffic::new(&self.options);
    }

    fn judge(&self, traffic: &mut Traffic, now: Instant, arrival: &Arrival, costs: &Costs) -> Option<Denied> {
        if traffic.weather.has_lost(arrival.head.uri.path()) {
            return Some(Denied::Gone);
        }
        if let Some(refusal) = traffic.weather.refuses(&mut traffic.chance) {
            return Some(Denied::Told(refusal));
        }
        let mut exhausted = Vec::new();
        for (whose, &cost) in costs {
            let budget = self.budget(traffic, now, whose);
            exhausted.extend(budget.arrive(now, cost).map(|exhausted| (Self::model_of(whose, arrival), exhausted)));
        }
        let denied = exhausted.into_iter().max_by_key(|(_, exhausted)| exhausted.rank());
        for (whose, &cost) in costs {
            traffic.budgets[whose].close(now, cost, denied.is_none(), self.options.count_denied);
        }
        denied.map(|(model, exhausted)| Denied::Over(model, exhausted))
    }

    fn costs(&self, arrival: &Arrival) -> Costs {
        let mut costs = Costs::new();
        for Ask { pool, key, cost } in self.routes.asks(&arrival.found, &arrival.seen()) {
            costs.entry(Whose::Pool(pool, key)).or_default().add(cost.unwrap_or(1));
        }
        if self.options.quotas.any() && arrival.may_count_for_a_model() {
            let model = arrival.model().map(|model| self.options.quotas.name(model).to_owned());
            let whose = model.map(|name| Whose::Model { name, account: arrival.account() });
            costs.extend(whose.map(|whose| (whose, Cost { requests: 1, tokens: arrival.cost() })));
        }
        costs
    }

    fn standing(&self, traffic: &mut Traffic, now: Instant, costs: &Costs) -> Standing {
        let model = costs.keys().find(|whose| matches!(whose, Whose::Model { .. }));
        let model = model.filter(|_| !self.options.quotas.no_ratelimit_headers);
        let budget = model.and_then(|model| traffic.budgets.get_mut(model));
        budget.map(|budget| budget.standing(now)).unwrap_or_default()
    }

    fn budget<'t>(&self, traffic: &'t mut Traffic, now: Instant, whose: &Whose) -> &'t mut Budget {
        let Traffic { budgets, chance, weather, .. } = traffic;
        budgets.entry(whose.clone()).or_insert_with(|| {
            let caps = match whose {
                Whose::Pool(pool, _) => self.pool_caps(*pool, chance, now),
                Whose::Model { name, .. } => self.model_caps(name, chance, now),
            };
            Budget::new(caps, weather, now)
        })
    }

    fn pool_caps(&self, pool: PoolId, chance: &mut fastrand::Rng, now: Instant) -> Vec<Cap> {
        let pool = &self.pools[pool.0];
        let measure = match pool.limits.unit {
            Unit::Tokens => Measure::Tokens,
            Unit::Requests if pool.key.iter().any(|part| part.to_string() == "body.model") => Measure::Requests,
            Unit::Requests => Measure::OfType,
        };
        let limits = pool.limits.requests.iter();
        let cap = |&rate| {
            let meter = Meter::new(rate, self.options.counts(), now, chance.f64());
            Cap::new(measure, rate, meter, chance.fork(), now)
        };
        limits.map(cap).collect()
    }

    fn model_caps(&self, name: &str, chance: &mut fastrand::Rng, now: Instant) -> Vec<Cap> {
        let cap = |(measure, rate)| {
            let meter = Meter::bucket(rate, self.options.minute, now);
            Cap::new(measure, rate, meter, chance.fork(), now)
        };
        self.options.quotas.limits(name).map(cap).collect()
    }

    /// What the refusal of a budget calls the model.
    fn model_of(whose: &Whose, arrival: &Arrival) -> String {
        match whose {
            Whose::Model { name, .. } => name.clone(),
            Whose::Pool(..) => arrival.model().unwrap_or("gpt-mock").to_owned(),
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
