use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, USER_AGENT};

use crate::route::{RouteId, Table};

/// Node's fetch gives up on the head of an answer after 300 s, and says so nowhere (docs/upstream.md §5.1). What is
/// left for its answer is a guess.
const NODE: Duration = Duration::from_secs(290);

/// How long a client will wait for its turn.
pub(super) const MAX_WAIT: HeaderName = HeaderName::from_static("x-tidegate-max-wait");

/// What openai-python says.
const READ_TIMEOUT: HeaderName = HeaderName::from_static("x-stainless-read-timeout");

/// What openai-node says in whole seconds.
const ROUNDED: HeaderName = HeaderName::from_static("x-stainless-timeout");

/// How long a client will wait for its turn by its own account, if it gives one: its shortest word counts.
///
/// The SDKs say how long they wait for the answer, so what an answer usually takes goes off that, up to a half.
#[must_use]
pub fn patience(headers: &HeaderMap, usual: Duration) -> Option<Duration> {
    let for_answer = [READ_TIMEOUT, ROUNDED].into_iter().filter_map(|name| {
        let whole = seconds(text(headers, &name)?)?;
        // openai-node rounds down: its zero is less than a second. A read timeout of zero makes no sense.
        if whole.is_zero() && name != ROUNDED {
            return None;
        }
        Some(whole.saturating_sub(usual.min(whole / 2)))
    });
    let for_turn = text(headers, &MAX_WAIT).and_then(|text| seconds(text).or_else(|| with_unit(text)));
    for_answer.chain(for_turn).min().or_else(|| is_node(headers).then_some(NODE))
}

/// Neither a negative number, nor one that is none, nor one beyond all time.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn with_unit(text: &str) -> Option<Duration> {
    text.parse::<humantime::Duration>().ok().map(Into::into)
}

/// openai-node calls itself `OpenAI/JS 6.1.0`, or by the name of a class made from it.
fn is_node(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().as_bytes();
    let has_at =
        |at: usize, word: &[u8]| agent[at..].get(..word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word));
    has_at(0, b"node") || has_at(0, b"undici") || memchr::memchr_iter(b'/', agent).any(|slash| has_at(slash, b"/js "))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// How long an answer usually takes on each route, from the sending of a request to the head of its answer.
#[derive(Debug)]
pub(super) struct Usual {
    /// In microseconds; zero before the first.
    routes: Vec<AtomicU64>,
}

/// A new answer counts as one of so many, as in TCP's round-trip time (RFC 6298 §2).
const MEMORY: u64 = 8;

impl Usual {
    pub(super) fn new(routes: &Table) -> Self {
        Self { routes: routes.routes().map(|_| AtomicU64::new(0)).collect() }
    }

    /// Of two answers that come at the same time one may be lost, which an estimate can bear.
    pub(super) fn note(&self, route: RouteId, took: Duration) {
        let (usual, took) = (&self.routes[route.0], u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
        let known = usual.load(Ordering::Relaxed);
        let now = if known == 0 { took } else { known - known / MEMORY + took / MEMORY };
        usual.store(now, Ordering::Relaxed);
    }

    pub(super) fn of(&self, route: RouteId) -> Duration {
        Duration::from_micros(self.routes[route.0].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patience, in milliseconds, of a client that sends these headers where an answer usually takes 2 s.
    fn patience_ms(pairs: &[(&str, &str)]) -> Option<u128> {
        let header = |&(name, value): &(&str, &str)| (name.parse().expect("a name"), value.parse().expect("a value"));
        let headers = pairs.iter().map(header).collect::<HeaderMap>();
        patience(&headers, Duration::from_secs(2)).map(|patience| patience.as_millis())
    }

    #[test]
    fn the_time_for_an_answer_is_shorter_by_what_an_answer_takes_and_at_most_by_half() {
        assert_eq!(patience_ms(&[("x-stainless-read-timeout", "600.0")]), Some(598_000));
        assert_eq!(patience_ms(&[("x-stainless-timeout", "5")]), Some(3_000));
        assert_eq!(patience_ms(&[("x-stainless-timeout", "0.5")]), Some(250));
        assert_eq!(patience_ms(&[("x-stainless-timeout", "0")]), Some(0));
    }

    #[test]
    fn the_time_for_the_turn_is_taken_as_it_is() {
        for (text, patience) in [("30s", 30_000), ("1m 5s", 65_000), ("1.5", 1_500), ("0", 0), (" 0s ", 0)] {
            assert_eq!(patience_ms(&[("x-tidegate-max-wait", text)]), Some(patience), "{text:?}");
        }
    }

    #[test]
    fn the_shortest_word_counts() {
        let (read, whole, wait) = ("x-stainless-read-timeout", "x-stainless-timeout", "x-tidegate-max-wait");
        assert_eq!(patience_ms(&[(read, "600"), (whole, "20"), (wait, "30s")]), Some(18_000));
        assert_eq!(patience_ms(&[(read, "600"), (whole, "60"), (wait, "30s")]), Some(30_000));
    }

    #[test]
    fn what_makes_no_sense_is_ignored() {
        for text in ["", "soon", "-1", "NaN", "inf", "1e30", "0", "-0.0"] {
            assert_eq!(patience_ms(&[("x-stainless-read-timeout", text)]), None, "{text:?}");
        }
        for text in ["", "soon", "-1", "NaN", "1e30", "5 parsecs"] {
            assert_eq!(patience_ms(&[("x-tidegate-max-wait", text)]), None, "{text:?}");
        }
    }

    #[test]
    fn node_gives_up_in_time_although_it_does_not_say_when() {
        for agent in ["OpenAI/JS 6.1.0", "AzureOpenAI/JS 5.0.0", "node", "undici", "node-fetch/1.0"] {
            assert_eq!(patience_ms(&[("user-agent", agent)]), Some(290_000), "{agent}");
        }
        assert_eq!(patience_ms(&[("user-agent", "OpenAI/Python 2.1.0")]), None);
        assert_eq!(patience_ms(&[("user-agent", "OpenAI/JS 6.1.0"), ("x-tidegate-max-wait", "600s")]), Some(600_000));
    }

    #[test]
    fn the_usual_time_follows_the_answers() {
        let (usual, route) = (Usual::new(&Table::default()), RouteId::default());
        assert_eq!(usual.of(route), Duration::ZERO);
        usual.note(route, Duration::from_millis(800));
        assert_eq!(usual.of(route), Duration::from_millis(800));
        usual.note(route, Duration::from_millis(1_600));
        assert_eq!(usual.of(route), Duration::from_millis(900));
        (0..100).for_each(|_| usual.note(route, Duration::from_millis(100)));
        assert!(usual.of(route) < Duration::from_millis(101), "{:?}", usual.of(route));
    }
}
