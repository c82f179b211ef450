use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, HeaderName, USER_AGENT};

/// Node's fetch gives up on a response's head after 300 s and sends no header that says so (docs/upstream.md §5.1). The
/// 10 s left for the upstream are a guess.
const NODE: Duration = Duration::from_secs(290);

/// The header that says how long a client waits in the queue.
pub const MAX_WAIT: HeaderName = HeaderName::from_static("x-tidegate-max-wait");

/// The read timeout that openai-python sends.
const READ_TIMEOUT: HeaderName = HeaderName::from_static("x-stainless-read-timeout");

/// The timeout that openai-node sends, in whole seconds.
const ROUNDED: HeaderName = HeaderName::from_static("x-stainless-timeout");

/// How long a client waits in the queue, by its headers: the shortest of all that they say.
///
/// The SDKs send how long they wait for the response. The time that a response typically takes is subtracted from that,
/// but at most half of it.
#[must_use]
pub fn patience(headers: &HeaderMap, typical: Duration) -> Option<Duration> {
    let for_answer = [READ_TIMEOUT, ROUNDED].into_iter().filter_map(|name| {
        let whole = seconds(text(headers, &name)?)?;
        // openai-node rounds down, so its zero is less than a second. A read timeout of zero makes no sense.
        if whole.is_zero() && name != ROUNDED {
            return None;
        }
        Some(whole.saturating_sub(typical.min(whole / 2)))
    });
    let for_turn = text(headers, &MAX_WAIT).and_then(|text| seconds(text).or_else(|| with_unit(text)));
    for_answer.chain(for_turn).min().or_else(|| unsaid_patience(headers))
}

/// How long a client waits that does not say so, if that is known of its kind.
#[must_use]
pub fn unsaid_patience(headers: &HeaderMap) -> Option<Duration> {
    is_node(headers).then_some(NODE)
}

/// A number of seconds: neither negative, nor NaN, nor too large for a `Duration`.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn with_unit(text: &str) -> Option<Duration> {
    text.parse::<humantime::Duration>().ok().map(Into::into)
}

/// Whether a client runs on Node's fetch.
fn is_node(headers: &HeaderMap) -> bool {
    let has = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|own| own == value);
    // What undici's fetch adds to every request, and no browser: that has another language, or says its site.
    names_node(headers) || has(&RUNTIME, "node") || (has(&ACCEPT_LANGUAGE, "*") && has(&FETCH_MODE, "cors"))
}

/// The header by which openai-node and what is made of it (LangChain.js) tell where they run.
const RUNTIME: HeaderName = HeaderName::from_static("x-stainless-runtime");

const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// openai-node calls itself `OpenAI/JS 6.1.0`; a class derived from it has its own name before the slash. The Vercel AI SDK
/// ends with `runtime/node.js/24`.
fn names_node(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().as_bytes();
    let has_at =
        |at: usize, word: &[u8]| agent[at..].get(..word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word));
    has_at(0, b"node")
        || has_at(0, b"undici")
        || memchr::memmem::find(agent, b"runtime/node").is_some()
        || memchr::memchr_iter(b'/', agent).any(|slash| has_at(slash, b"/js "))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patience in milliseconds of a client that sends these headers, where a response typically takes 2 s.
    fn patience_ms(pairs: &[(&str, &str)]) -> Option<u128> {
        let header = |&(name, value): &(&str, &str)| (name.parse().expect("a name"), value.parse().expect("a value"));
        let headers = pairs.iter().map(header).collect::<HeaderMap>();
        patience(&headers, Duration::from_secs(2)).map(|patience| patience.as_millis())
    }

    #[test]
    fn timeout_is_shortened_by_typical_latency_at_most_by_half() {
        assert_eq!(patience_ms(&[("x-stainless-read-timeout", "600.0")]), Some(598_000));
        assert_eq!(patience_ms(&[("x-stainless-timeout", "5")]), Some(3_000));
        assert_eq!(patience_ms(&[("x-stainless-timeout", "0.5")]), Some(250));
        assert_eq!(patience_ms(&[("x-stainless-timeout", "0")]), Some(0));
    }

    #[test]
    fn max_wait_is_taken_as_written() {
        for (text, patience) in [("30s", 30_000), ("1m 5s", 65_000), ("1.5", 1_500), ("0", 0), (" 0s ", 0)] {
            assert_eq!(patience_ms(&[("x-tidegate-max-wait", text)]), Some(patience), "{text:?}");
        }
    }

    #[test]
    fn shortest_header_counts() {
        let (read, whole, wait) = ("x-stainless-read-timeout", "x-stainless-timeout", "x-tidegate-max-wait");
        assert_eq!(patience_ms(&[(read, "600"), (whole, "20"), (wait, "30s")]), Some(18_000));
        assert_eq!(patience_ms(&[(read, "600"), (whole, "60"), (wait, "30s")]), Some(30_000));
    }

    #[test]
    fn nonsense_is_ignored() {
        for text in ["", "soon", "-1", "NaN", "inf", "1e30", "0", "-0.0"] {
            assert_eq!(patience_ms(&[("x-stainless-read-timeout", text)]), None, "{text:?}");
        }
        for text in ["", "soon", "-1", "NaN", "1e30", "5 parsecs"] {
            assert_eq!(patience_ms(&[("x-tidegate-max-wait", text)]), None, "{text:?}");
        }
    }

    #[test]
    fn node_waits_290_seconds_without_a_header() {
        for agent in [
            "OpenAI/JS 6.1.0",
            "AzureOpenAI/JS 5.0.0",
            "node",
            "undici",
            "node-fetch/1.0",
            "ai/6.0.1 ai-sdk/openai/3.0.1 ai-sdk/provider-utils/4.0.1 runtime/node.js/24",
        ] {
            assert_eq!(patience_ms(&[("user-agent", agent)]), Some(290_000), "{agent}");
        }
        for agent in ["OpenAI/Python 2.1.0", "ai-sdk/openai/3.0.1 runtime/bun/1.3"] {
            assert_eq!(patience_ms(&[("user-agent", agent)]), None, "{agent}");
        }
        let (langchain, mine) = (("user-agent", "langchainjs-openai/1.0.0"), ("user-agent", "my-agent/1.0"));
        assert_eq!(patience_ms(&[langchain, ("x-stainless-runtime", "node")]), Some(290_000));
        let (fetch, any) = (("sec-fetch-mode", "cors"), ("accept-language", "*"));
        assert_eq!(patience_ms(&[mine, fetch, any]), Some(290_000), "undici");
        assert_eq!(patience_ms(&[mine, fetch, ("accept-language", "en")]), None, "a browser");
        assert_eq!(patience_ms(&[mine, any]), None);
        assert_eq!(patience_ms(&[("user-agent", "OpenAI/JS 6.1.0"), ("x-tidegate-max-wait", "600s")]), Some(600_000));
    }
}
