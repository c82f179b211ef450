//! `RateLimit` and `RateLimit-Policy` of the gate's own pools, as draft-ietf-httpapi-ratelimit-headers-10 writes them.

use std::fmt::Write;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::exchange::ResponseMeter;
use super::failure::Failure;
use super::state::Gate;
use crate::admission::Reason;
use crate::limit::Rate;
use crate::route::RouteId;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// As the quota of a client is named.
const CLIENT: &str = "client";

/// Says what is left of the request's tightest pool, unless the upstream says what is left there. On routes that share calls all
/// who share one get the same answer, so nothing is said of what one of them took.
pub(super) fn add_headroom(headers: &mut HeaderMap, gate: &Gate, route: RouteId, meter: &ResponseMeter) {
    let is_shared = gate.routes.route(route).coalesce.is_some();
    if is_shared || gate.only_observes() || headers.keys().any(|name| name.as_str().contains("ratelimit")) {
        return;
    }
    let Some((pool, left)) = meter.tightest() else { return };
    let pool = &gate.shown_pools()[pool.0];
    if !pool.is_observed {
        add(headers, &pool.name, &pool.limits.requests, left, None);
    }
}

/// Says which limit a rejected request met, and when to come back.
pub(super) fn add_rejection(headers: &mut HeaderMap, gate: &Gate, failure: &Failure, retry_after: Option<Duration>) {
    match failure {
        Failure::ClientQuota { rate, .. } => add(headers, CLIENT, &[*rate], 0, retry_after),
        // Nothing is used up.
        Failure::Refused(refusal) if !matches!(refusal.reason, Reason::NeverFits { .. }) => {
            let Some(pool) = refusal.reason.pool() else { return };
            let pool = &gate.shown_pools()[pool.0];
            let learned = refusal.learned.as_slice();
            let rates = if pool.limits.requests.is_empty() { learned } else { &pool.limits.requests };
            add(headers, &pool.name, rates, 0, retry_after);
        }
        _ => {}
    }
}

/// The policies are named after the pool, all but the first also after their window, as no two may have one name.
fn add(headers: &mut HeaderMap, name: &str, rates: &[Rate], left: u64, reset: Option<Duration>) {
    if rates.is_empty() {
        return;
    }
    let mut policy = String::with_capacity(48);
    for (index, rate) in rates.iter().enumerate() {
        let window = rate.per().as_millis().div_ceil(1_000);
        let _ = match index {
            0 => write!(policy, "\"{name}\";q={};w={window}", rate.amount()),
            _ => write!(policy, ", \"{name}-{window}s\";q={};w={window}", rate.amount()),
        };
    }
    let reset = reset.map_or(String::new(), |reset| format!(";t={}", reset.as_millis().div_ceil(1_000)));
    let limit = HeaderValue::try_from(format!("\"{name}\";r={left}{reset}"));
    if let (Ok(limit), Ok(policy)) = (limit, HeaderValue::try_from(policy)) {
        headers.insert(RATE_LIMIT, limit);
        headers.insert(POLICY, policy);
    }
}
