use serde_json::json;

use super::super::decision::Denial;
use super::{Duration, MINUTE, MockRefusal, SECOND, Upstream, headers, words};
use crate::meter::Meter;

const DAY: Duration = Duration::from_hours(24);

/// Refusals that OpenAI's clients were shown, and the waits that these named.
const PUBLIC: [(Duration, u32, u32, u32, &str); 6] = [
    (MINUTE, 3, 3, 1, "20s"),
    (MINUTE, 30_000, 28_039, 3_906, "3.89s"),
    (DAY, 200, 200, 1, "7m12s"),
    (MINUTE, 10_000, 8_554, 3_082, "9.816s"),
    (MINUTE, 30_000, 29_937, 385, "644ms"),
    (MINUTE, 30_000, 14_567, 24_754, "18.642s"),
];

#[test]
fn a_bucket_waits_as_long_as_public_refusals_said() {
    for (per, limit, used, requested, says) in PUBLIC {
        let now = tokio::time::Instant::now().into_std();
        let rate = crate::limit::Rate::new(limit.try_into().expect("a limit"), per).expect("a rate");
        let mut bucket = Meter::bucket(rate, MINUTE, now);
        bucket.count(now, used);
        let again_in = bucket.room(now, requested).expect_err("no room");
        assert_eq!(super::super::go_duration::GoDuration(again_in).to_string(), says);
        let just_before = again_in.saturating_sub(Duration::from_micros(1));
        assert!(bucket.room(now + just_before, requested).is_err());
        assert_eq!(bucket.room(now + again_in, requested), Ok(()));
    }
}

#[tokio::test]
async fn refusals_say_it_as_openai_does() {
    let upstream = Upstream::start(&["--rpm", "3", "--rpd", "200", "--tpm", "30000"]);
    let arrival = upstream.chat_request("gpt-4o-mini", 28_039);
    assert_eq!(upstream.arrive(Duration::ZERO, &arrival).denied, None);
    let arrival = upstream.chat_request("gpt-4o-mini", 13_906);
    let said = words(upstream.arrive(Duration::ZERO, &arrival).denied, &arrival).await;
    let message = "Rate limit reached for gpt-4o-mini in organization org-mock on tokens per min (TPM): Limit 30000, \
                   Used 28039, Requested 13906. Please try again in 23.89s.";
    assert_eq!(said, json!({ "message": message, "type": "tokens", "param": null, "code": "rate_limit_exceeded" }));
    let arrival = upstream.chat_request("gpt-4o-mini", 30_062);
    let decision = upstream.arrive(Duration::ZERO, &arrival);
    assert_eq!(decision.denied.as_ref().and_then(Denial::kind), Some(MockRefusal::TooLarge));
    let message = "Request too large for gpt-4o-mini in organization org-mock on tokens per min (TPM): Limit 30000, \
                   Requested 30062. The input or output tokens must be reduced in order to run successfully.";
    assert_eq!(words(decision.denied, &arrival).await["message"], message);
}

#[test]
fn answers_say_how_the_limits_of_their_model_stand() {
    let upstream = Upstream::start(&["--rpm", "60", "--tpm", "30000"]);
    let said = |decision| {
        let headers = headers(&decision);
        let value = |name: &str| headers[&format!("x-ratelimit-{name}")].to_str().expect("a text").to_owned();
        let of = |counts: &str| ["limit", "remaining", "reset"].map(|field| value(&format!("{field}-{counts}")));
        (of("requests"), of("tokens"))
    };
    let first = said(upstream.chat(Duration::ZERO, "gpt-4o", 15_000));
    assert_eq!(first, (["60", "59", "1s"].map(str::to_owned), ["30000", "15000", "30s"].map(str::to_owned)));
    let refused = upstream.chat(SECOND, "gpt-4o", 20_000);
    assert_eq!(refused.denied.as_ref().and_then(Denial::kind), Some(MockRefusal::TokensPerMinute));
    assert_eq!(said(refused), (["60", "60", "0ms"].map(str::to_owned), ["30000", "15500", "29s"].map(str::to_owned)));
    let quiet = Upstream::start(&["--rpm", "60", "--no-ratelimit-headers"]);
    assert!(headers(&quiet.chat(Duration::ZERO, "gpt-4o", 100)).is_empty());
    let without = upstream.arrive(SECOND, &upstream.request("/v1/threads", &[], json!({ "model": "gpt-4o" })));
    assert!(headers(&without).is_empty());
}

#[test]
fn a_day_is_said_where_there_is_no_limit_on_minutes() {
    let upstream = Upstream::start(&["--rpd", "200"]);
    let headers = headers(&upstream.chat(Duration::ZERO, "gpt-4o", 100));
    assert_eq!(headers["x-ratelimit-remaining-requests"], "199");
    assert_eq!(headers["x-ratelimit-reset-requests"], "7m12s");
    (1..200).for_each(|_| assert_eq!(upstream.chat(Duration::ZERO, "gpt-4o", 100).denied, None));
    let denied = upstream.chat(SECOND, "gpt-4o", 100).denied;
    assert_eq!(denied.and_then(|denied| denied.kind()), Some(MockRefusal::RequestsPerDay));
}

#[test]
fn every_model_and_every_account_has_limits_of_its_own_and_a_family_shares_them() {
    let family = "gpt-4o=gpt-4o-2024-08-06,gpt-4o-2024-11-20";
    let upstream = Upstream::start(&["--rpm", "1", "--family", family, "--model", "gpt-4o=2:", "--model", "gpt-5=3:"]);
    let admits = |model: &str| (0..9).filter(|_| upstream.chat(Duration::ZERO, model, 100).denied.is_none()).count();
    assert_eq!(["gpt-4o-mini", "gpt-4.1", "gpt-4o-2024-08-06", "gpt-5"].map(admits), [1, 1, 2, 3]);
    let Some(Denial::OverLimit(name, _)) = upstream.chat(Duration::ZERO, "gpt-4o-2024-11-20", 100).denied else {
        panic!("the family has used up its limits");
    };
    assert_eq!(name, "gpt-4o");
    for named in [[("openai-organization", "org-1")], [("openai-project", "proj_1")]] {
        let arrival = upstream.request("/v1/responses", &named, json!({ "model": "gpt-4.1" }));
        assert_eq!(upstream.arrive(Duration::ZERO, &arrival).denied, None);
        assert!(upstream.arrive(Duration::ZERO, &arrival).denied.is_some());
    }
    let stats = upstream.stats(Duration::ZERO).models;
    let said = stats.iter().map(|model| (&*model.pool, model.key.as_deref(), model.admitted, model.denied));
    let expected = [
        ("gpt-4o-mini", None, 1, 8),
        ("gpt-4.1", None, 1, 8),
        ("gpt-4o", None, 2, 8),
        ("gpt-5", None, 3, 6),
        ("gpt-4.1", Some("org-1"), 1, 1),
        ("gpt-4.1", Some("proj_1"), 1, 1),
    ];
    assert_eq!(said.collect::<Vec<_>>(), expected);
}

#[test]
fn what_a_request_costs_is_its_input_and_the_most_of_its_output() {
    let upstream = Upstream::start(&["--tpm", "100000"]);
    let cost = |path: &str, most: Option<&str>| {
        let mut body = json!({ "model": "m", "input": "x".repeat(974) });
        if let Some(most) = most {
            body[most] = json!(500);
        }
        upstream.request(path, &[], body).cost()
    };
    assert_eq!(cost("/v1/responses", None), 250 + 16);
    assert_eq!(cost("/v1/embeddings", None), 250);
    assert_eq!(cost("/v1/responses", Some("max_output_tokens")), 256 + 500);
    assert_eq!(cost("/v1/chat/completions", Some("max_tokens")), 254 + 500);
    assert_eq!(cost("/v1/chat/completions", Some("max_completion_tokens")), 257 + 500);
}

#[test]
fn a_failed_request_counts_only_where_it_is_told_to() {
    for (arguments, left) in [(&["--tpm", "1000"][..], "500"), (&["--tpm", "1000", "--count-denied"], "0")] {
        let upstream = Upstream::start(arguments);
        assert_eq!(upstream.chat(Duration::ZERO, "gpt-4o", 500).denied, None);
        let refused = upstream.chat(Duration::ZERO, "gpt-4o", 999);
        assert!(refused.denied.is_some());
        assert_eq!(headers(&refused)["x-ratelimit-remaining-tokens"], left);
    }
}

#[test]
fn the_limits_of_models_change_with_the_weather() {
    let upstream = Upstream::start(&["--rpm", "100", "--scale", "0.5"]);
    assert_eq!(headers(&upstream.chat(Duration::ZERO, "gpt-4o", 100))["x-ratelimit-limit-requests"], "50");
    upstream.step(SECOND, json!({ "scale": 1, "foreign": 1 }));
    assert_eq!(headers(&upstream.chat(SECOND, "gpt-4o", 100))["x-ratelimit-limit-requests"], "100");
    let foreign = upstream.stats(MINUTE).models.remove(0).foreign;
    assert!(foreign.admitted.sum() > 0, "{foreign:?}");
}
