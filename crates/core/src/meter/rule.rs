use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::{Counts, Meter};
use crate::limit::{PoolId, Rate};
use crate::route::{Facts, KeyPart, Priority, RouteCharge, Table, Template, Weight};

/// One rule by which an upstream refuses requests, as people write it: which requests it counts, what it admits of them, and
/// what tells those apart that have a limit of their own.
///
/// ```
/// use tidegate_core::meter::Rule;
///
/// for rule in [
///     "* /{*path} = 10 in flight",
///     "POST /v1/threads/{thread_id}/messages = 60/min",
///     "POST /v1/threads/{thread_id}/messages = 6/min per path.thread_id",
///     "* /{*path} = 100/min per account",
///     "* /{*path} = 5% at random",
///     "POST /{*path} = 300/min, 10/s",
///     "GET /{*path}, POST /{*path} = 200/min",
/// ] {
///     assert_eq!(rule.parse::<Rule>()?.to_string(), rule);
/// }
/// # Ok::<(), tidegate_core::meter::ParseRuleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    matches: Vec<Template>,
    bounds: Vec<Bound>,
    key: Arc<[KeyPart]>,
}

/// What a rule admits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Rate(Rate),
    InFlight(NonZeroU32),
    /// The part that it refuses whatever is sent.
    Random(f64),
}

/// The text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; a rule is like \"POST /v1/threads/{{thread_id}}/messages = 60/min per path.thread_id\"")]
pub struct ParseRuleError(String);

/// The rules of an upstream, and what has come of each so far.
#[derive(Debug, Default)]
pub struct RuleMeters {
    rules: Vec<RuleMeter>,
}

/// A rule, and what it has admitted.
#[derive(Debug)]
struct RuleMeter {
    rule: Rule,
    /// Finds the requests that it counts.
    table: Table,
    counts: Counts,
    phase: f64,
    groups: HashMap<GroupKey, RuleGroup>,
}

/// Those requests that share a limit.
#[derive(Debug)]
struct RuleGroup {
    /// Of each rate.
    meters: Vec<Meter>,
    in_flight: u32,
}

/// By which rules a request counts: by their places, and their groups.
#[derive(Debug, Default)]
pub struct Counted(SmallVec<[(usize, GroupKey); 2]>);

/// What tells the groups of a rule apart; nothing where all are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct GroupKey(Option<Box<str>>);

/// A request, as rules see it.
#[derive(Clone, Copy)]
pub struct RuleRequest<'r> {
    /// Its method.
    pub method: &'r str,
    /// Its path, without the query.
    pub path: &'r str,
    /// What keys are read from.
    pub facts: &'r dyn Facts,
}

/// A request that a rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuledOut {
    /// About how long there is no room, if that can be said.
    pub again_in: Option<Duration>,
}

impl Rule {
    /// Whether the body tells its groups apart.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        self.key.iter().any(|part| matches!(part, KeyPart::Body(_)))
    }

    /// What finds the requests that it counts. A template that is there twice changes nothing.
    fn table(&self) -> Table {
        let mut table = Table::default();
        for template in &self.matches {
            let charge =
                RouteCharge { pool: PoolId(0), weight: Weight::Fixed(NonZeroU32::MIN), key: Arc::clone(&self.key) };
            let _tie = table.insert(template, vec![charge], Priority::default());
        }
        table
    }
}

impl RuleMeters {
    /// The meters of these rules, where nothing has come yet. `chance` gives numbers from 0 to 1, without the latter.
    #[must_use]
    pub fn new(rules: &[Rule], counts: Counts, chance: &mut dyn FnMut() -> f64) -> Self {
        let meter = |rule: &Rule| RuleMeter {
            table: rule.table(),
            rule: rule.clone(),
            counts,
            phase: chance(),
            groups: HashMap::new(),
        };
        Self { rules: rules.iter().map(meter).collect() }
    }

    /// Whether all rules have room for a request. Nothing is counted.
    ///
    /// # Errors
    /// [`RuledOut`], by any of them.
    pub fn check(
        &mut self,
        now: Instant,
        request: RuleRequest<'_>,
        chance: &mut dyn FnMut() -> f64,
    ) -> Result<Counted, RuledOut> {
        let counted = self.of(request);
        let mut verdict = Ok(());
        for (place, group) in &counted.0 {
            let checked = self.rules[*place].check(now, group, chance);
            verdict = match (verdict, checked) {
                (Err(RuledOut { again_in: one }), Err(RuledOut { again_in: other })) => {
                    Err(RuledOut { again_in: one.max(other) })
                }
                (verdict, checked) => verdict.and(checked),
            };
        }
        verdict.map(|()| counted)
    }

    /// A request that was checked is admitted.
    pub fn admit(&mut self, now: Instant, counted: &Counted) {
        self.count(now, counted);
        for (place, group) in &counted.0 {
            self.rules[*place].group(now, group).in_flight += 1;
        }
    }

    /// A request that is refused counts all the same.
    pub fn count_refused(&mut self, now: Instant, request: RuleRequest<'_>) {
        let counted = self.of(request);
        self.count(now, &counted);
    }

    /// The response to a request that was admitted has ended.
    pub fn end(&mut self, counted: &Counted) {
        for (place, group) in &counted.0 {
            let group = self.rules.get_mut(*place).and_then(|rule| rule.groups.get_mut(group));
            group.into_iter().for_each(|group| group.in_flight = group.in_flight.saturating_sub(1));
        }
    }

    fn of(&self, RuleRequest { method, path, facts }: RuleRequest<'_>) -> Counted {
        let counts = |(place, rule): (usize, &RuleMeter)| {
            let found = rule.table.find(method, path);
            let ask = rule.table.asks(&found, facts).into_iter().next()?;
            Some((place, GroupKey(ask.key)))
        };
        Counted(self.rules.iter().enumerate().filter_map(counts).collect())
    }

    fn count(&mut self, now: Instant, counted: &Counted) {
        for (place, group) in &counted.0 {
            self.rules[*place].group(now, group).meters.iter_mut().for_each(|meter| meter.count(now, 1));
        }
    }
}

impl RuleMeter {
    fn check(&mut self, now: Instant, key: &GroupKey, chance: &mut dyn FnMut() -> f64) -> Result<(), RuledOut> {
        let bounds = std::mem::take(&mut self.rule.bounds);
        let group = self.group_of(now, key, &bounds);
        let waits = group.meters.iter_mut().filter_map(|meter| meter.room(now, 1).err()).max();
        let mut is_full = |bound: &Bound| match bound {
            Bound::Rate(_) => false,
            Bound::InFlight(most) => group.in_flight >= most.get(),
            Bound::Random(share) => chance() < *share,
        };
        let is_refused = bounds.iter().filter(|bound| is_full(bound)).count() > 0;
        self.rule.bounds = bounds;
        if is_refused || waits.is_some() { Err(RuledOut { again_in: waits }) } else { Ok(()) }
    }

    fn group(&mut self, now: Instant, key: &GroupKey) -> &mut RuleGroup {
        let bounds = self.rule.bounds.clone();
        self.group_of(now, key, &bounds)
    }

    fn group_of(&mut self, now: Instant, key: &GroupKey, bounds: &[Bound]) -> &mut RuleGroup {
        let (counts, phase) = (self.counts, self.phase);
        self.groups.entry(key.clone()).or_insert_with(|| {
            let rate = |bound: &Bound| if let Bound::Rate(rate) = bound { Some(*rate) } else { None };
            let meters = bounds.iter().filter_map(rate).map(|rate| Meter::new(rate, counts, now, phase)).collect();
            RuleGroup { meters, in_flight: 0 }
        })
    }
}

const IN_FLIGHT: &str = " in flight";
const AT_RANDOM: &str = "% at random";

impl FromStr for Rule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let wrong = |why: String| ParseRuleError(why);
        let (matches, rest) = text.split_once(" = ").ok_or_else(|| wrong(format!("no \" = \" in {text:?}")))?;
        let (bounds, key) = rest.split_once(" per ").unwrap_or((rest, ""));
        let template = |text: &str| text.trim().parse().map_err(|error| wrong(format!("{:?}: {error}", text.trim())));
        let part = |text: &str| text.trim().parse().map_err(|error| wrong(format!("{:?}: {error}", text.trim())));
        let bound = |text: &str| text.trim().parse().map_err(wrong);
        Ok(Self {
            matches: matches.split(',').map(template).collect::<Result<_, _>>()?,
            bounds: bounds.split(',').map(bound).collect::<Result<_, _>>()?,
            key: key.split(',').filter(|part| !part.is_empty()).map(part).collect::<Result<_, _>>()?,
        })
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(most) = text.strip_suffix(IN_FLIGHT) {
            return most.parse().map(Self::InFlight).map_err(|_| format!("{most:?} is no number in flight"));
        }
        if let Some(percent) = text.strip_suffix(AT_RANDOM) {
            let share = percent.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
            return share
                .map(|percent| Self::Random(percent / 100.0))
                .ok_or_else(|| format!("{percent:?} is no percentage"));
        }
        text.parse().map(Self::Rate).map_err(|error| format!("{text:?}: {error}"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |texts: Vec<String>| texts.join(", ");
        let matches = list(self.matches.iter().map(Template::to_string).collect());
        write!(f, "{matches} = {}", list(self.bounds.iter().map(Bound::to_string).collect()))?;
        if self.key.is_empty() {
            return Ok(());
        }
        write!(f, " per {}", list(self.key.iter().map(KeyPart::to_string).collect()))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{rate}"),
            Self::InFlight(most) => write!(f, "{most}{IN_FLIGHT}"),
            Self::Random(share) => write!(f, "{}{AT_RANDOM}", share * 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Counting;
    use crate::tests::any_instant;

    struct Nobody;

    impl Facts for Nobody {
        fn header(&self, name: &str) -> Option<&[u8]> {
            (name == "authorization").then_some(b"Bearer sk-1")
        }

        fn body(&self) -> Option<&crate::route::Body<'_>> {
            None
        }
    }

    fn chance() -> impl FnMut() -> f64 {
        let mut random = fastrand::Rng::with_seed(1);
        move || random.f64()
    }

    const COUNTS: Counts = Counts { window: Counting::Sliding, burst: None, minute: Duration::from_mins(1) };

    /// Sends these, and says of each whether it is admitted; none ends.
    fn admitted(rule: &str, requests: &[(&str, &str)]) -> Vec<bool> {
        let (now, mut chance) = (any_instant(), chance());
        let mut meters = RuleMeters::new(&[rule.parse().expect("a rule")], COUNTS, &mut chance);
        let mut admit = |&(method, path): &(&str, &str)| {
            let checked = meters.check(now, RuleRequest { method, path, facts: &Nobody }, &mut chance);
            checked.map(|counted| meters.admit(now, &counted)).is_ok()
        };
        requests.iter().map(&mut admit).collect()
    }

    const A: (&str, &str) = ("POST", "/v1/threads/a/messages");
    const B: (&str, &str) = ("POST", "/v1/threads/b/messages");
    const GET: (&str, &str) = ("GET", "/v1/models");

    #[test]
    fn rules_refuse_what_they_count() {
        for (rule, requests, expected) in [
            ("* /{*path} = 2 in flight", vec![A, GET, B], vec![true, true, false]),
            ("POST /v1/threads/{id}/messages = 1/min", vec![A, B, GET], vec![true, false, true]),
            ("POST /v1/threads/{id}/messages = 1/min per path.id", vec![A, B, A], vec![true, true, false]),
            ("* /{*path} = 1/min per account", vec![A, GET], vec![true, false]),
            ("GET /{*path}, POST /{*path} = 2/min", vec![A, GET, A], vec![true, true, false]),
            ("POST /{*path} = 9/min, 1/s", vec![A, A, GET], vec![true, false, true]),
            ("* /{*path} = 100% at random", vec![A, GET], vec![false, false]),
            ("* /{*path} = 0% at random", vec![A, GET], vec![true, true]),
        ] {
            assert_eq!(admitted(rule, &requests), expected, "{rule}");
        }
    }

    #[test]
    fn random_refusals_come_as_often_as_written() {
        let admitted = admitted("* /{*path} = 5% at random", &[A].repeat(4_000));
        let refused = admitted.iter().filter(|admitted| !**admitted).count();
        assert!((150..=250).contains(&refused), "{refused} of 4000");
    }

    #[test]
    fn requests_in_flight_make_room_as_they_end() {
        let (now, mut chance) = (any_instant(), chance());
        let rule = "* /{*path} = 1 in flight".parse().expect("a rule");
        let mut meters = RuleMeters::new(&[rule], COUNTS, &mut chance);
        let request = RuleRequest { method: "GET", path: "/v1/models", facts: &Nobody };
        let first = meters.check(now, request, &mut chance).expect("room");
        meters.admit(now, &first);
        assert_eq!(meters.check(now, request, &mut chance).map(drop), Err(RuledOut { again_in: None }));
        meters.end(&first);
        assert!(meters.check(now, request, &mut chance).is_ok());
    }

    #[test]
    fn refused_request_counts_where_it_is_told_to() {
        let (now, mut chance) = (any_instant(), chance());
        let rule = "* /{*path} = 1/min".parse().expect("a rule");
        let mut meters = RuleMeters::new(&[rule], COUNTS, &mut chance);
        let request = RuleRequest { method: "GET", path: "/v1/models", facts: &Nobody };
        meters.count_refused(now, request);
        let refused = meters.check(now, request, &mut chance).map(drop);
        assert_eq!(refused, Err(RuledOut { again_in: Some(Duration::from_mins(1)) }));
    }

    #[test]
    fn what_is_no_rule_says_why() {
        for (text, why) in [
            ("POST /v1/x", "no \" = \""),
            ("POST /v1/x = ", "\"\""),
            ("POST /v1/x = 5/fortnight", "5/fortnight"),
            ("POST /v1/x = many in flight", "\"many\" is no number in flight"),
            ("POST /v1/x = 101% at random", "\"101\" is no percentage"),
            ("nonsense = 1/s", "nonsense"),
            ("POST /v1/x = 1/s per thread", "thread"),
        ] {
            let said = text.parse::<Rule>().expect_err(text).to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
