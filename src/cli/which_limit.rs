//! Names a limit as people ask for it: RPM, TPM, a creation rate, or concurrency.

use std::time::Duration;

use crate::admin::{CauseName, CountedUnit, FoundLimit, ScopeName, ScopeStatus, Sureness, Worst};

/// The limit, its figure, what it is of, and how sure that is; nothing where it is not about a limit, or not known.
pub(super) fn which_limit(worst: &Worst) -> Option<String> {
    let (estimate, limit) = (&worst.estimate, worst.estimate.limit?);
    let name = creation_rate(&estimate.scope).unwrap_or_else(|| kind(limit));
    let whose = if estimate.case == CauseName::OwnLimit { "your own limit of " } else { "" };
    let sure = match estimate.confidence {
        Sureness::High => "sure",
        Sureness::Fair => "likely",
        Sureness::None => "not sure",
    };
    Some(format!("{name}: {whose}{}, {} ({sure})", figure(limit), of(worst)))
}

/// Of which requests it is.
fn of(worst: &Worst) -> String {
    let ScopeStatus { kind, route, key } = &worst.estimate.scope;
    match (kind, route, key) {
        (ScopeName::Route, Some(route), _) => format!("for {route} alone"),
        (ScopeName::Key, _, Some(key)) => format!("for each {key} in {}", worst.name),
        (ScopeName::Upstream, ..) => "for all pools together".to_owned(),
        _ => format!("for {}", worst.label),
    }
}

/// `message creation rate`, where the limit is of one route that creates something.
fn creation_rate(scope: &ScopeStatus) -> Option<String> {
    let route = scope.route.as_deref().filter(|_| scope.kind == ScopeName::Route)?;
    let (methods, path) = route.split_once(' ')?;
    let last = path.rsplit('/').next().filter(|last| !last.contains('{'))?;
    let thing = last.strip_suffix('s').unwrap_or(last).replace('_', " ");
    methods.contains("POST").then(|| format!("{thing} creation rate"))
}

fn kind(FoundLimit { window_ms, counts, .. }: FoundLimit) -> String {
    let (letter, noun) = match counts {
        CountedUnit::InFlight => return "concurrency".to_owned(),
        CountedUnit::Requests => ('R', "requests"),
        CountedUnit::Tokens => ('T', "tokens"),
    };
    match window_ms {
        Some(60_000) => format!("{letter}PM"),
        Some(86_400_000) => format!("{letter}PD"),
        Some(window) => format!("{noun} per {}", span(window)),
        None => noun.to_owned(),
    }
}

fn figure(FoundLimit { max, window_ms, counts }: FoundLimit) -> String {
    let noun = match counts {
        CountedUnit::InFlight => return format!("{max} in flight"),
        CountedUnit::Requests => "requests",
        CountedUnit::Tokens => "tokens",
    };
    let per = match window_ms {
        Some(60_000) => "minute".to_owned(),
        Some(3_600_000) => "hour".to_owned(),
        Some(86_400_000) => "day".to_owned(),
        window => span(window.unwrap_or_default()),
    };
    format!("{max} {noun} per {per}")
}

fn span(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{EstimateStatus, EvidenceSum};

    fn said(limit: FoundLimit, scope: (ScopeName, Option<&str>, Option<&str>), case: CauseName) -> String {
        let (kind, route, key) = scope;
        let estimate = EstimateStatus {
            case,
            scope: ScopeStatus { kind, route: route.map(str::to_owned), key: key.map(str::to_owned) },
            limit: Some(limit),
            confidence: Sureness::High,
            evidence: EvidenceSum { accepted: 0, refused: 0, episodes: 0 },
        };
        let worst = Worst {
            name: "posts".to_owned(),
            key: None,
            counts: Some("requests".to_owned()),
            label: "posts".to_owned(),
            rank: 0,
            cause: case,
            kind: None,
            text: String::new(),
            advice: None,
            toml: None,
            waiting: 0,
            failures: 0,
            cost_ms: 0,
            estimate,
        };
        which_limit(&worst).expect("a limit")
    }

    #[test]
    fn limits_have_the_names_that_people_ask_for() {
        let limit = |max, window_ms, counts| FoundLimit { max, window_ms, counts };
        let pool = (ScopeName::Pool, None, None);
        let messages = (ScopeName::Route, Some("POST /v1/threads/{thread_id}/messages"), None);
        for (limit, scope, case, expected) in [
            (
                limit(180, Some(60_000), CountedUnit::Requests),
                pool,
                CauseName::LowerLimit,
                "RPM: 180 requests per minute, for posts (sure)",
            ),
            (
                limit(9_000, Some(60_000), CountedUnit::Tokens),
                pool,
                CauseName::OwnLimit,
                "TPM: your own limit of 9000 tokens per minute, for posts (sure)",
            ),
            (
                limit(10, None, CountedUnit::InFlight),
                pool,
                CauseName::InFlight,
                "concurrency: 10 in flight, for posts (sure)",
            ),
            (
                limit(60, Some(60_000), CountedUnit::Requests),
                messages,
                CauseName::LowerLimit,
                "message creation rate: 60 requests per minute, for POST /v1/threads/{thread_id}/messages alone (sure)",
            ),
            (
                limit(6, Some(6_000), CountedUnit::Requests),
                (ScopeName::Key, None, Some("path.thread_id")),
                CauseName::LowerLimit,
                "requests per 6s: 6 requests per 6s, for each path.thread_id in posts (sure)",
            ),
        ] {
            assert_eq!(said(limit, scope, case), expected);
        }
    }
}
