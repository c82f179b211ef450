use std::time::Duration;

use super::limit_reading::LimitReading;
use super::time::MINUTE;
use super::{Allowance, HeaderLookup, window};
use crate::limit::Unit;

/// No window is longer. A guess: the limits seen in `RateLimit-Policy` are of a minute to a day.
const LONGEST: u64 = 31 * 24 * 3600;

/// What one item of the `RateLimit` header says.
struct RateLimitItem {
    remaining: u64,
    reset: Option<Duration>,
    limit: Option<u64>,
    /// As `RateLimit-Policy` has it.
    per: Option<Duration>,
    /// It counts something else than requests, which is what is meant where nothing is said.
    is_other: bool,
}

/// What the `RateLimit` header says, in the IETF's drafts from 07 on: `"api";r=0;t=4`, or `limit=100, remaining=0,
/// reset=4` as it was in 07. `RateLimit-Policy` has the limits and their windows: `"api";q=500;w=300`
/// (draft-ietf-httpapi-ratelimit-headers-10; sent by Hugging Face and Cloudflare, docs/upstream.md §7).
pub(super) fn readings(headers: &dyn HeaderLookup) -> impl Iterator<Item = LimitReading> {
    items(headers).into_iter().filter_map(|item| {
        let RateLimitItem { remaining, reset, limit, per, .. } = item;
        let per = per.or_else(|| reset.map(window::ending_in)).unwrap_or(MINUTE);
        let allowance = Allowance { unit: Unit::Requests, limit: limit?, per, remaining: Some(remaining) };
        Some(LimitReading { allowance, reset })
    })
}

/// How long it is until all of what is used up is there again.
pub(super) fn until_refilled(headers: &dyn HeaderLookup) -> Option<Duration> {
    items(headers).into_iter().filter(|item| item.remaining == 0).filter_map(|item| item.reset).max()
}

/// The window, in `100;w=60`, of the policy with this limit.
pub(super) fn window_of(policies: &str, limit: u64) -> Option<Duration> {
    let mut of_limit = policies.split(',').filter(|policy| name(policy).parse() == Ok(limit));
    of_limit.find_map(|policy| seconds(parameter(policy, "w")?))
}

fn items(headers: &dyn HeaderLookup) -> Vec<RateLimitItem> {
    let Some(said) = headers.list("ratelimit") else { return Vec::new() };
    let policies = headers.list("ratelimit-policy").unwrap_or_default();
    let items = match of_draft_07(&said, &policies) {
        Some(item) => vec![item],
        None => said.split(',').filter_map(|item| of_item(item, &policies)).collect(),
    };
    items.into_iter().filter(|item| !item.is_other).collect()
}

fn of_item(item: &str, policies: &str) -> Option<RateLimitItem> {
    let policy = policies.split(',').find(|policy| is_policy(policy, name(item))).unwrap_or_default();
    Some(RateLimitItem {
        remaining: parameter(item, "r")?,
        reset: parameter(item, "t").and_then(seconds),
        limit: parameter(policy, "q").filter(|limit| *limit > 0),
        per: parameter(policy, "w").and_then(seconds),
        is_other: parameter_text(policy, "qu").is_some_and(|unit| unit != "requests"),
    })
}

/// `"fixed window";"api";q=500`: some send the kind of the window before the name.
fn is_policy(policy: &str, wanted: &str) -> bool {
    policy.split(';').any(|part| part.trim().trim_matches('"') == wanted)
}

fn of_draft_07(said: &str, policies: &str) -> Option<RateLimitItem> {
    let field = |wanted: &str| {
        let mut fields = said.split(',').filter_map(|item| item.split_once('='));
        fields.find(|(name, _)| name.trim() == wanted)?.1.trim().parse::<u64>().ok()
    };
    let limit = field("limit")?;
    Some(RateLimitItem {
        remaining: field("remaining")?,
        reset: field("reset").and_then(seconds),
        limit: Some(limit).filter(|limit| *limit > 0),
        per: window_of(policies, limit),
        is_other: false,
    })
}

fn name(item: &str) -> &str {
    item.split(';').next().unwrap_or_default().trim().trim_matches('"')
}

fn parameter(item: &str, name: &str) -> Option<u64> {
    parameter_text(item, name)?.parse().ok()
}

fn parameter_text<'i>(item: &'i str, name: &str) -> Option<&'i str> {
    let parameters = item.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    parameters
        .map(|(key, value)| (key.trim(), value.trim().trim_matches('"')))
        .find(|&(key, _)| key == name)
        .map(|(_, v)| v)
}

fn seconds(seconds: u64) -> Option<Duration> {
    (1..=LONGEST).contains(&seconds).then(|| Duration::from_secs(seconds))
}
