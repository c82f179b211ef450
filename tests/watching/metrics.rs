//! `/metrics`: what Prometheus reads, and that everything which names a metric names one that is there.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use tidegate::admin::Status;

use super::desk::{Desk, POOLS};

/// What a gate says that has seen some of everything; the upstream tells limits of its own.
async fn scrape() -> String {
    let desk = Desk::before(POOLS, &["--rpm", "500"]).await;
    scrape_of(&desk).await
}

/// The same at this gate, which has seen nothing before.
async fn scrape_of(desk: &Desk) -> String {
    desk.traffic().await;
    let requests = |status: &Status| status.clients.iter().map(|client| client.counts.requests).sum::<u64>();
    desk.until("ten are over", |status| requests(status) == 10).await;
    desk.page("/metrics").await
}

/// The metrics of which a scrape has values.
fn names(scrape: &str) -> BTreeSet<&str> {
    let samples = scrape.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().expect("a name")).collect()
}

/// The metrics that a text speaks of.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tidegate_")).collect()
}

/// What a scrape says that a metric is: its name, its type and what it means.
fn described(scrape: &str) -> Vec<(&str, &str, &str)> {
    let helps = scrape.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let types = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    helps
        .zip(types)
        .map(|((name, help), (same, kind))| if name == same { (name, kind, help) } else { panic!("{name}") })
        .collect()
}

#[tokio::test]
async fn what_the_dashboard_and_the_rules_name_is_there() {
    let scrape = scrape().await;
    let there = names(&scrape);
    for path in ["contrib/grafana/tidegate.json", "contrib/prometheus/alerts.yml"] {
        let text = fs::read_to_string(path).expect("a text");
        let named = named(&text);
        let missing: Vec<_> = named.difference(&there).collect();
        assert!(named.len() > 5 && missing.is_empty(), "{path} names {missing:?}, and there are {there:?}");
    }
}

#[tokio::test]
async fn every_metric_is_in_the_documents_and_no_other() {
    let (scrape, documents) = (scrape().await, fs::read_to_string("docs/metrics.md").expect("a text"));
    let rows: Vec<&str> = documents.lines().filter(|line| line.starts_with("| `")).collect();
    let metrics = described(&scrape);
    for (name, kind, help) in &metrics {
        let (head, tail) = (format!("| `{name}` | {kind} | "), format!(" | {help} |"));
        assert!(rows.iter().any(|row| row.starts_with(&head) && row.ends_with(&tail)), "no row {head}…{tail}");
    }
    assert_eq!(rows.len(), metrics.len(), "there are more rows than metrics");
}

#[tokio::test]
async fn labels_say_what_the_configuration_says_and_nothing_of_keys() {
    let scrape = scrape().await;
    for unknown in ["gpt-4o", "vs_1", "client-", "canary"] {
        assert!(!scrape.contains(unknown), "{unknown}: {scrape}");
    }
    for line in [
        "tidegate_pool_instances{pool=\"chat\",counts=\"requests\"} 2",
        "tidegate_pool_used_ratio{pool=\"few\",counts=\"requests\"} 1.0",
        "tidegate_pool_learned_instances{pool=\"chat\",counts=\"requests\"} 2",
        "tidegate_pool_diagnosis{pool=\"chat\",counts=\"requests\",cause=\"billing\"} 1",
        "tidegate_requests_total{route=\"POST /v1/threads\",outcome=\"refused\"} 1",
        "tidegate_refusals_total{pool=\"few\",code=\"tidegate_wait_too_long\"} 1",
        "tidegate_upstream_refusals_total{pool=\"chat\",counts=\"tokens\",cause=\"billing\"} 1",
        "tidegate_coalesced_requests_total{route=\"GET /v1/vector_stores/{id}\",part=\"reused\"} 1",
        "tidegate_wait_seconds_bucket{route=\"POST /v1/batches\",le=\"0.001\"} 1",
        "tidegate_wait_seconds_bucket{route=\"POST /v1/batches\",le=\"5\"} 2",
        "tidegate_wait_seconds_count{route=\"POST /v1/batches\"} 2",
    ] {
        assert!(scrape.lines().any(|known| known == line), "no {line}: {scrape}");
    }
}

#[tokio::test]
async fn a_gate_that_has_seen_nothing_describes_every_metric() {
    let desk = Desk::open(POOLS).await;
    let (calm, busy) = (desk.page("/metrics").await, scrape_of(&desk).await);
    let of = |scrape: &str| described(scrape).iter().map(|(name, ..)| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(of(&calm), of(&busy));
}

#[tokio::test]
#[ignore = "it needs promtool: `make metrics`"]
async fn promtool_finds_nothing_wrong_with_a_scrape() {
    let mut promtool = Command::new("promtool");
    let promtool = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut checking = promtool.stderr(Stdio::piped()).spawn().expect("promtool");
    checking.stdin.take().expect("its input").write_all(scrape().await.as_bytes()).expect("it reads");
    let checked = checking.wait_with_output().expect("it ends");
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
#[ignore = "it needs promtool: `make metrics`"]
fn promtool_finds_nothing_wrong_with_the_rules_and_they_say_what_they_should() {
    for line in [
        "check rules contrib/prometheus/alerts.yml",
        "check config contrib/prometheus/prometheus.yml",
        "test rules tests/watching/alerts.yml",
    ] {
        let checked = Command::new("promtool").args(line.split(' ')).output().expect("promtool");
        assert!(checked.status.success(), "{line}: {checked:?}");
    }
}
