//! What would become of a request now, or what a refusal would look like.

use std::time::Duration;

use super::{Explainer, Taken};
use crate::admin::status::Status;
use crate::admin::wait_forecast::{FareOutcome, RefusalExample, WaitForecast, span};
use crate::admission::{PoolLine, Reason, Refusal, WaitCheck};
use crate::config::Pool;
use crate::gate;

impl Explainer {
    /// How a request of this client would fare that takes these and waits so long.
    pub(super) fn fare(
        &self,
        taken: &[&Taken],
        client: &str,
        max_wait: Option<Duration>,
        status: &Status,
    ) -> WaitForecast {
        let latest = taken.iter().filter_map(|taken| taken.live.as_ref()).max_by_key(|live| live.eta_ms);
        let latest = latest.filter(|live| live.eta_ms > 0);
        let eta_ms = latest.map_or(0, |live| live.eta_ms);
        let pool = latest.map(|live| live.label.clone());
        let (verdict, text) = match (self.refused_now(taken, max_wait, status), latest) {
            (Some(_), _) => (FareOutcome::Refused, "it would be refused".to_owned()),
            (None, None) => (FareOutcome::Goes, "it would go at once".to_owned()),
            (None, Some(live)) => {
                let others = if live.waiting == 1 { "1 waits".to_owned() } else { format!("{} wait", live.waiting) };
                let own = live.waiting_for.iter().find(|waits| waits.client == client).map(|waits| waits.requests);
                let own = match own {
                    None => String::new(),
                    Some(1) if live.waiting == 1 => ", of the same client".to_owned(),
                    Some(own) if own == live.waiting => ", all of the same client".to_owned(),
                    Some(own) => format!(", {own} of the same client"),
                };
                let text = format!("it would wait about {} for {}, where {others}{own}", span(eta_ms), live.label);
                (FareOutcome::Waits, text)
            }
        };
        WaitForecast { verdict, text, eta_ms, pool }
    }

    /// What a request that takes these would meet now or, if that is no refusal, what one looks like.
    pub(super) fn refusal<'t>(
        &self,
        pools: &[Taken],
        all: impl Iterator<Item = &'t Taken>,
        max_wait: Option<Duration>,
        status: Option<&Status>,
    ) -> Option<RefusalExample> {
        let all: Vec<&Taken> = all.collect();
        let now = status.and_then(|status| self.refused_now(&all, max_wait, status));
        let reason = now.or_else(|| self.never(&all)).or_else(|| self.example(pools, max_wait))?;
        let refusal = Refusal { reason, retry_after: Duration::from_secs(1), pointless: false, learned: None };
        let (status, body) = gate::describe(&refusal, &self.pools);
        Some(RefusalExample { status, body, now: now.is_some() })
    }

    /// Why it would be refused in this state of the gate, if so: judged as the scheduler judges, by the figures of the
    /// status.
    fn refused_now(&self, taken: &[&Taken], max_wait: Option<Duration>, status: &Status) -> Option<Reason> {
        if status.draining {
            return Some(Reason::Draining);
        }
        self.never(taken).or_else(|| {
            let late = taken.iter().max_by_key(|taken| eta(taken)).filter(|taken| !eta(taken).is_zero())?;
            let (pool, eta, max_wait) = (late.ask.pool, eta(late), max_wait.unwrap_or_default());
            let (waiting, max_waiting) = (status.waiting, self.max_waiting);
            let check = WaitCheck { waiting, reserved: 0, max_waiting, bytes: 0, eta };
            let lines: Vec<PoolLine> = taken.iter().map(|taken| self.line(taken)).collect();
            let waiting = late.live.as_ref().map_or(0, |live| live.waiting);
            let too_long = Reason::WaitTooLong { pool, waiting, ahead: waiting, eta, max_wait };
            check.refuses(&lines).map(|(reason, _)| reason).or((eta > max_wait).then_some(too_long))
        })
    }

    /// A pool as the status shows it. How many positions are reserved, and how much memory is used, it does not say.
    fn line(&self, taken: &Taken) -> PoolLine {
        PoolLine {
            pool: taken.ask.pool,
            rules: self.pool(taken).rules(),
            waiting: taken.live.as_ref().map_or(0, |live| live.waiting),
            reserved: 0,
            bytes: 0,
            has_room: eta(taken).is_zero(),
        }
    }

    /// Why it would never go, if so.
    fn never(&self, taken: &[&Taken]) -> Option<Reason> {
        taken.iter().find_map(|taken| {
            let never = self.pool(taken).limits.fits(taken.cost).err()?;
            Some(Reason::NeverFits { pool: taken.ask.pool, limit: never.limit, cost: taken.cost })
        })
    }

    /// Why it would be refused with a line a little too long.
    fn example(&self, pools: &[Taken], max_wait: Option<Duration>) -> Option<Reason> {
        let least_patient =
            pools.iter().min_by_key(|taken| (!self.pool(taken).refuse_when_full, self.pool(taken).max_wait))?;
        let (id, pool) = (least_patient.ask.pool, self.pool(least_patient));
        let gap = pool.limits.requests.iter().map(|rate| rate.interval()).max().unwrap_or(Duration::from_secs(1));
        let Some(max_wait) = max_wait.filter(|_| !pool.refuse_when_full) else {
            return Some(Reason::NoQueue { pool: id, eta: gap });
        };
        let waiting = usize::try_from(max_wait.as_nanos() / gap.as_nanos() + 1).unwrap_or(usize::MAX);
        if waiting > pool.max_waiting {
            return Some(Reason::QueueFull { pool: Some(id), waiting: pool.max_waiting, eta: max_wait });
        }
        Some(Reason::WaitTooLong { pool: id, waiting, ahead: waiting, eta: max_wait + gap, max_wait })
    }

    fn pool(&self, taken: &Taken) -> &Pool {
        &self.pools[taken.ask.pool.0]
    }
}

fn eta(taken: &Taken) -> Duration {
    taken.live.as_ref().map_or(Duration::ZERO, |live| Duration::from_millis(live.eta_ms))
}
