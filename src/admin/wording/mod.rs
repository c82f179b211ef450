mod advice;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::admission::{Cause, Evidence, InstanceState, ReachedLimit, RefusalBurst, Requester};
use crate::config::Pool;
use crate::hints::{LimitFigures, RefusalCause};
use crate::limit::{EstimateView, Rate, Unit};
use crate::route::{RouteId, Table};

/// A diagnosis in words: what it is, with the numbers it rests on, and what to do.
pub(super) struct Wording<'a> {
    pub(super) pool: &'a Pool,
    pub(super) routes: &'a Table,
    pub(super) state: &'a InstanceState,
    pub(super) now: Instant,
}

impl Wording<'_> {
    pub(super) fn text(&self) -> String {
        match self.state.diagnosis.cause {
            Cause::WithinLimits => format!("Within limits: {}", self.calm()),
            Cause::NotEnoughEvidence { refused } => format!("Not enough evidence: {}", self.unclear(refused)),
            Cause::OwnLimit { limit } => format!("At your own limit: {}", self.own_limit(limit)),
            Cause::Bursts { limit, burst, since } => self.bursts(limit, burst, since),
            Cause::LowerLimit { limit, configured, reported, since } => self.lower(limit, configured, reported, since),
            Cause::Shared { used: taken, limit } => shared(taken, limit),
            Cause::Throttled { cause, refusals, most, limit } => self.throttled(cause, refusals, most, limit),
            Cause::Gone { route, answers } => self.gone(route, answers),
            Cause::Billing { refusals, last } => self.billing(refusals, last),
        }
    }

    fn calm(&self) -> String {
        let Evidence { accepted, ref bursts, .. } = self.state.evidence;
        let refusals: u64 = bursts.iter().map(|burst| u64::from(burst.refusals)).sum();
        let refused = match bursts.last() {
            None => "none refused".to_owned(),
            Some(last) => format!("in the last hour {} refused, last for {}", counted(refusals), last.cause),
        };
        let held = match self.state.waiters.held {
            0 => "none waits".to_owned(),
            1 => "1 waits for its turn".to_owned(),
            held => format!("{held} wait for their turn"),
        };
        format!("{}; lately {} taken, {refused}, and {held}.", self.fill(), counted(accepted))
    }

    /// What of its limits is used.
    fn fill(&self) -> String {
        let learned = self.state.usage.learned.and_then(|learned| learned.estimate);
        if let Some(EstimateView::Reported { limit, left }) = learned {
            let used = u64::from(limit.amount()).saturating_sub(left);
            return format!("{used} of {} used, as the upstream tells", self.rate(limit));
        }
        let fills = self.state.usage.windows.iter().map(|&(limit, used)| format!("{used} of {}", self.rate(limit)));
        let fills = fills.collect::<Vec<_>>().join(", ");
        if fills.is_empty() { "no limit is known".to_owned() } else { format!("{fills} used") }
    }

    fn unclear(&self, refused: Option<RefusalBurst>) -> String {
        let estimate = self.state.usage.learned.and_then(|learned| learned.estimate);
        match refused {
            Some(RefusalBurst { began, refusals, level, .. }) => format!(
                "{} ago the upstream refused {}, with {} used, and has taken {} since; that has more than one explanation.",
                self.ago(began),
                counted(refusals.into()),
                self.of(level.used, level.limit),
                self.state.evidence.accepted_since,
            ),
            None if estimate == Some(EstimateView::Unknown) => {
                "no answer has told the limits yet, so requests go one at a time.".to_owned()
            }
            None => "nothing was answered lately.".to_owned(),
        }
    }

    fn own_limit(&self, bound: ReachedLimit) -> String {
        let reached = match bound {
            ReachedLimit::Window { limit, used, reported: false } => format!("{used} of {} used", self.rate(limit)),
            ReachedLimit::Window { limit, used, reported: true } => {
                format!("{used} of {} used, as the upstream tells", self.rate(limit))
            }
            ReachedLimit::InFlight(most) => format!("{} of {most} in flight", self.state.usage.in_flight),
            ReachedLimit::Exhausted { figures, until } => return self.exhausted(figures, until),
        };
        let Evidence { requested: asked, waited, turned_away, .. } = self.state.evidence;
        let turned_away = if turned_away > 0 { format!(", {turned_away} were refused") } else { String::new() };
        let waiting = match self.state.waiting {
            0 => "none waits now".to_owned(),
            waiting => format!("{waiting} wait now"),
        };
        format!("{reached}; lately {waited} of {asked} had to wait{turned_away}, and {waiting}.{}", self.who())
    }

    /// Who uses it: which kind of request the most, and whose.
    fn who(&self) -> String {
        let Evidence { requested: asked, requesters, .. } = &self.state.evidence;
        let (routes, clients) = (totals(requesters, |asker| asker.route), totals(requesters, |asker| asker.client));
        let (Some((route, by_route)), Some((client, by_client))) = (routes.first(), clients.first()) else {
            return String::new();
        };
        let route = self.kind(*route);
        match clients.len() {
            1 => format!(" {by_route} of {asked} are {route}, all of {client}."),
            several => format!(
                " {by_route} of {asked} are {route}; of {several} clients {client} asks most, {by_client} times."
            ),
        }
    }

    /// A kind of request: as its route is called, or the endpoint that has the instance to itself.
    pub(super) fn kind(&self, route: RouteId) -> String {
        let endpoint = self.state.key.split(' ').next().filter(|_| self.pool.implicit);
        endpoint.map_or_else(|| self.routes.route(route).name.clone(), |endpoint| endpoint.replacen(':', " ", 1))
    }

    fn exhausted(&self, figures: LimitFigures, until: Instant) -> String {
        let LimitFigures { unit, per, used, limit, .. } = figures;
        let unit = if unit == Unit::Tokens { "tokens" } else { "requests" };
        let numbers = [used, limit].map(|number| number.map_or("all".to_owned(), |number| number.to_string()));
        let (per, wait) = (span(per), span(until.saturating_duration_since(self.now)));
        format!(
            "the upstream says that {} of {} {unit} in {per} are used; in {wait} it may go on.",
            numbers[0], numbers[1]
        )
    }

    fn bursts(&self, limit: Rate, burst: u32, since: Option<Instant>) -> String {
        let Evidence { accepted_since: taken_since, .. } = self.state.evidence;
        format!(
            "The upstream refuses bursts: it refused after {burst} at once, far below {}. Sent evenly{}, {} were taken and \
             none refused.",
            self.rate(limit),
            self.since(since),
            taken_since,
        )
    }

    fn lower(&self, limit: Rate, configured: Option<Rate>, told: bool, since: Option<Instant>) -> String {
        let (limit, since) = (self.rate(limit), self.since(since));
        let about = if told { "" } else { "about " };
        let says = match configured {
            Some(configured) => {
                format!(
                    "The upstream's limit is lower than configured: {about}{limit} instead of {}",
                    self.rate(configured)
                )
            }
            None => format!("There is a limit that nobody wrote down: {about}{limit}"),
        };
        if told {
            return format!("{says}{since}. The upstream says so itself.");
        }
        let refused = || self.state.evidence.bursts.iter().filter(|episode| episode.cause == RefusalCause::Limit);
        if refused().next().is_none() {
            return format!("{says}{since}, as was learned before this gate was started.");
        }
        let used = || refused().map(|episode| episode.level.used);
        let (least, most) = (used().min().unwrap_or_default(), used().max().unwrap_or_default());
        format!("{says}{since}. It refused {} times, with {least} to {most} used.", refused().count())
    }

    fn throttled(&self, cause: RefusalCause, refusals: u32, most: u64, limit: Option<Rate>) -> String {
        let used = self.of(most, limit);
        match cause {
            RefusalCause::Ramp => {
                format!("The upstream throttles: {refusals} times it said that the rate had grown too fast.")
            }
            RefusalCause::Overload => {
                format!("The upstream is overloaded: it said so {refusals} times, with {used} used at most.")
            }
            _ => format!("The upstream throttles: it refused {refusals} times with no more than {used} used."),
        }
    }

    fn gone(&self, route: RouteId, answers: u64) -> String {
        let name = self.kind(route);
        let why = if is_of_assistants(&name) { " OpenAI shut the Assistants API down on 2026-08-26." } else { "" };
        format!("The endpoint is gone: the last {answers} answers to {name} were 404, all of them.{why}")
    }

    fn billing(&self, refusals: u32, last: Instant) -> String {
        let last = self.ago(last);
        format!(
            "Billing: the upstream refused {}, the last {last} ago, as quota, credit or a spend limit is used up.",
            counted(refusals.into())
        )
    }

    fn of(&self, used: u64, limit: Option<Rate>) -> String {
        limit.map_or_else(|| used.to_string(), |limit| format!("{used} of {}", self.rate(limit)))
    }

    fn rate(&self, rate: Rate) -> String {
        self.pool.rate_text(rate.rounded())
    }

    fn since(&self, since: Option<Instant>) -> String {
        since.map_or(String::new(), |since| format!(", for {}", self.ago(since)))
    }

    fn ago(&self, at: Instant) -> String {
        span(self.now.saturating_duration_since(at))
    }
}

pub(super) fn is_of_assistants(route: &str) -> bool {
    route.contains("/v1/threads") || route.contains("/v1/assistants")
}

fn shared((least, most): (u64, u64), limit: Option<u64>) -> String {
    let limit = limit.map_or(String::new(), |limit| format!(" of {limit}"));
    format!(
        "Somebody else, or another key of the same account, uses this allotment: the upstream refused when {least} to \
         {most}{limit} had been taken by this one, now more and now less."
    )
}

/// How often each asked, who asks most first.
fn totals<K: Copy + Ord>(requesters: &[(Requester, u64)], of: impl Fn(&Requester) -> K) -> Vec<(K, u64)> {
    let mut totals = BTreeMap::<K, u64>::new();
    requesters.iter().for_each(|(asker, times)| *totals.entry(of(asker)).or_default() += times);
    let mut totals: Vec<(K, u64)> = totals.into_iter().collect();
    totals.sort_by_key(|&(_, times)| Reverse(times));
    totals
}

fn counted(requests: u64) -> String {
    if requests == 1 { "1 request".to_owned() } else { format!("{requests} requests") }
}

/// A span of time, to the second, or to the millisecond where it is shorter.
fn span(time: Duration) -> String {
    let seconds = Duration::from_secs(time.as_secs());
    let time = if seconds.is_zero() { Duration::from_millis(millis_of(time)) } else { seconds };
    humantime::format_duration(time).to_string()
}

fn millis_of(time: Duration) -> u64 {
    u64::from(time.subsec_millis())
}
