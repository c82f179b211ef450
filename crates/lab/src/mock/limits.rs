use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indexmap::IndexMap;

use super::arrival::ArrivedRequest;
use super::decision::{Denial, MockDecision};
use super::enforced_limit::EnforcedLimit;
use super::headers::RateLimitHeaders;
use super::limit_set::{LimitOwner, LimitSet};
use super::limit_state::LimitState;
use super::measure::{Cost, Measure};
use super::options::Options;
use super::script::FaultChange;
use super::stats::{MockStats, PoolStats};
use crate::limit::{PoolId, Unit};
use crate::meter::{Counted, Meter, Rule, RuleRequest};
use crate::route::{Ask, Found, Table};
use crate::settings::{PoolSettings, Settings};

/// The limits of the mock: those of the configuration, counted as its options say, and those of models.
#[derive(Debug)]
pub(super) struct MockLimits {
    routes: Arc<Table>,
    pools: Vec<PoolSettings>,
    options: Options,
    state: Mutex<LimitState>,
}

/// What a request takes from which limits.
type Costs = IndexMap<LimitOwner, Cost>;

impl MockLimits {
    pub(super) fn new(settings: &Settings, options: Options) -> Self {
        let state = Mutex::new(LimitState::new(&options));
        Self { routes: Arc::clone(&settings.routes), pools: settings.pools.clone(), options, state }
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Found {
        self.routes.find(method, path)
    }

    pub(super) fn reads_body(&self, arrival: &ArrivedRequest) -> bool {
        self.routes.reads_body(&arrival.found)
            || self.options.rules.iter().any(Rule::reads_body)
            || (self.options.model_limits.any() && arrival.may_count_for_a_model())
    }

    /// Decides on a request: it takes from all of its limits, or is refused and takes from none.
    pub(super) fn arrive(&self, now: Instant, arrival: &ArrivedRequest) -> MockDecision {
        let costs = self.costs(arrival);
        let state = &mut *self.state();
        let clock = state.begin(now);
        let (denied, counted) = match self.judge(state, now, arrival, &costs) {
            Ok(counted) => (None, counted),
            Err(denied) => (Some(denied), Counted::default()),
        };
        state.count(clock, now, denied.as_ref());
        let headers = self.headers(state, now, &costs);
        MockDecision { denied, latency: state.faults.latency, headers, counted }
    }

    /// The response to a request has ended.
    pub(super) fn end(&self, counted: &Counted) {
        self.state().rules.end(counted);
    }

    /// Changes the faults at once.
    pub(super) fn change(&self, now: Instant, step: &FaultChange) {
        let mut state = self.state();
        state.advance(now);
        state.change(now, step);
    }

    pub(super) fn stats(&self, now: Instant) -> MockStats {
        let mut state = self.state();
        state.advance(now);
        let (mut pools, mut models) = (Vec::new(), Vec::new());
        for (whose, limit_set) in &state.limit_sets {
            match whose {
                LimitOwner::Pool(pool, key) => {
                    pools.extend(PoolStats::all(&self.pools[pool.0].name, key.as_deref(), limit_set));
                }
                LimitOwner::Model { name, account } => {
                    models.extend(PoolStats::all(name, account.as_deref(), limit_set));
                }
            }
        }
        MockStats::new(&state.counts, pools, models)
    }

    /// Forgets all arrivals and all changes.
    pub(super) fn reset(&self) {
        *self.state() = LimitState::new(&self.options);
    }

    fn judge(
        &self,
        state: &mut LimitState,
        now: Instant,
        arrival: &ArrivedRequest,
        costs: &Costs,
    ) -> Result<Counted, Denial> {
        if state.faults.is_gone(arrival.head.uri.path()) {
            return Err(Denial::Gone);
        }
        if let Some(refusal) = state.faults.refuses(&mut state.chance) {
            return Err(Denial::Fault(refusal));
        }
        let (method, path, facts) = (arrival.head.method.as_str(), arrival.head.uri.path(), arrival.seen());
        let request = RuleRequest { method, path, facts: &facts };
        let LimitState { rules, chance, .. } = state;
        let by_rule = rules.check(now, request, &mut || chance.f64());
        let mut exhausted = Vec::new();
        for (whose, &cost) in costs {
            let limit_set = self.limit_set(state, now, whose);
            exhausted.extend(limit_set.arrive(now, cost).map(|exhausted| (Self::model_of(whose, arrival), exhausted)));
        }
        let denied = exhausted.into_iter().max_by_key(|(_, exhausted)| exhausted.rank());
        let is_admitted = denied.is_none() && by_rule.is_ok();
        for (whose, &cost) in costs {
            state.limit_sets[whose].close(now, cost, is_admitted, self.options.count_denied);
        }
        if !is_admitted && self.options.count_denied {
            state.rules.count_refused(now, request);
        }
        if let Some((model, exhausted)) = denied {
            return Err(Denial::OverLimit(model, exhausted));
        }
        let counted = by_rule.map_err(|ruled_out| Denial::ByRule(ruled_out.again_in))?;
        state.rules.admit(now, &counted);
        Ok(counted)
    }

    fn costs(&self, arrival: &ArrivedRequest) -> Costs {
        let mut costs = Costs::new();
        for Ask { pool, key, cost } in self.routes.asks(&arrival.found, &arrival.seen()) {
            costs.entry(LimitOwner::Pool(pool, key)).or_default().add(cost.unwrap_or(1));
        }
        if self.options.model_limits.any() && arrival.may_count_for_a_model() {
            let model = arrival.model().map(|model| self.options.model_limits.name(model).to_owned());
            let whose = model.map(|name| LimitOwner::Model { name, account: arrival.account() });
            costs.extend(whose.map(|whose| (whose, Cost { requests: 1, tokens: arrival.cost() })));
        }
        costs
    }

    fn headers(&self, state: &mut LimitState, now: Instant, costs: &Costs) -> RateLimitHeaders {
        let model = costs.keys().find(|whose| matches!(whose, LimitOwner::Model { .. }));
        let model = model.filter(|_| !self.options.model_limits.no_ratelimit_headers);
        let limit_set = model.and_then(|model| state.limit_sets.get_mut(model));
        limit_set.map(|limit_set| limit_set.headers(now)).unwrap_or_default()
    }

    fn limit_set<'s>(&self, state: &'s mut LimitState, now: Instant, whose: &LimitOwner) -> &'s mut LimitSet {
        let LimitState { limit_sets, chance, faults, .. } = state;
        limit_sets.entry(whose.clone()).or_insert_with(|| {
            let limits = match whose {
                LimitOwner::Pool(pool, _) => self.pool_limits(*pool, chance, now),
                LimitOwner::Model { name, .. } => self.limits_of_model(name, chance, now),
            };
            LimitSet::new(limits, faults, now)
        })
    }

    fn pool_limits(&self, pool: PoolId, chance: &mut fastrand::Rng, now: Instant) -> Vec<EnforcedLimit> {
        let pool = &self.pools[pool.0];
        let measure = match pool.limits.unit {
            Unit::Tokens => Measure::Tokens,
            Unit::Requests if pool.key.iter().any(|part| part.to_string() == "body.model") => Measure::Requests,
            Unit::Requests => Measure::OfType,
        };
        let limits = pool.limits.requests.iter();
        let limit = |&rate| {
            let meter = Meter::new(rate, self.options.counts(), now, chance.f64());
            EnforcedLimit::new(measure, rate, meter, chance.fork(), now)
        };
        limits.map(limit).collect()
    }

    fn limits_of_model(&self, name: &str, chance: &mut fastrand::Rng, now: Instant) -> Vec<EnforcedLimit> {
        let limit = |(measure, rate)| {
            let meter = Meter::bucket(rate, self.options.minute, now);
            EnforcedLimit::new(measure, rate, meter, chance.fork(), now)
        };
        self.options.model_limits.limits(name).map(limit).collect()
    }

    /// The model that a refusal by these limits names.
    fn model_of(whose: &LimitOwner, arrival: &ArrivedRequest) -> String {
        match whose {
            LimitOwner::Model { name, .. } => name.clone(),
            LimitOwner::Pool(..) => arrival.model().unwrap_or("gpt-mock").to_owned(),
        }
    }

    fn state(&self) -> MutexGuard<'_, LimitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
