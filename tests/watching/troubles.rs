//! Requests that fail for another reason than a limit: what `/status` and `/metrics` say of them, and in which order.

use std::time::Duration;

use tidegate::admin::{CauseName, Status, Worst};
use tokio::net::TcpListener;

use super::desk::{Desk, POOLS};

fn worst(status: &Status) -> &Worst {
    status.worst.first().expect("something is the matter")
}

async fn posts(desk: &Desk, times: usize, expected: u16) {
    for _ in 0..times {
        assert_eq!(desk.chat("gpt-4o").await, expected);
    }
}

fn over(status: &Status) -> u64 {
    status.routes.iter().map(|route| route.counts.requests).sum()
}

#[tokio::test]
async fn unreachable_upstream_is_the_worst() {
    let desk = Desk::before_nothing(POOLS).await;
    posts(&desk, 1, 502).await;
    let status = desk.until("one is over", |status| over(status) == 1).await;
    let found = worst(&status);
    assert_eq!((found.cause, found.kind.as_deref(), found.failures), (CauseName::Unreachable, Some("connect"), 1));
    assert!(found.text.contains("cannot be reached: no connection to its address."), "{}", found.text);
    let advice = found.advice.as_deref().expect("advice");
    assert!(advice.contains("upstream.url") && advice.contains("HTTPS_PROXY"), "{advice}");
    let [route] = &status.routes[..] else { panic!("one route: {:?}", status.routes) };
    assert_eq!((route.counts.unanswered["connect"], route.counts.failed), (1, 1));
    assert_eq!(route.counts.common_failure.as_deref(), Some("connect"));
}

#[tokio::test]
async fn unknown_host_is_unreachable_by_dns() {
    let desk = Desk::towards(POOLS, &[], "http://no-such-host.invalid").await;
    posts(&desk, 1, 502).await;
    let status = desk.until("one is over", |status| over(status) == 1).await;
    let found = worst(&status);
    assert_eq!((found.cause, found.kind.as_deref()), (CauseName::Unreachable, Some("dns")));
    assert_eq!(found.label, "no-such-host.invalid");
}

#[tokio::test]
async fn upstream_without_tls_is_unreachable_by_tls() {
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = plain.local_addr().expect("an address");
    let speaks = tokio::spawn(async move {
        let (stream, _) = plain.accept().await.expect("a connection");
        stream.writable().await.expect("it is open");
        stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("it is sent");
    });
    let desk = Desk::towards(POOLS, &[], &format!("https://{address}")).await;
    posts(&desk, 1, 502).await;
    speaks.await.expect("it has spoken");
    let status = desk.until("one is over", |status| over(status) == 1).await;
    assert_eq!((worst(&status).cause, worst(&status).kind.as_deref()), (CauseName::Unreachable, Some("tls")));
}

#[tokio::test]
async fn closed_proxy_is_unreachable_by_proxy() {
    let (closed, config) = (TcpListener::bind("127.0.0.1:0").await.expect("a free port"), POOLS);
    let proxy = closed.local_addr().expect("an address");
    drop(closed);
    let desk = Desk::open(&format!("[upstream]\nproxy = \"http://{proxy}\"\n{config}")).await;
    posts(&desk, 1, 502).await;
    let status = desk.until("one is over", |status| over(status) == 1).await;
    assert_eq!((worst(&status).cause, worst(&status).kind.as_deref()), (CauseName::Unreachable, Some("proxy")));
}

#[tokio::test]
async fn wrong_key_is_the_worst_until_an_answer_is_good() {
    let desk = Desk::before(POOLS, &["--refuse", "invalid-api-key"]).await;
    posts(&desk, 12, 401).await;
    let status = desk.until("twelve are over", |status| over(status) == 12).await;
    let found = worst(&status);
    assert_eq!((found.cause, found.kind.as_deref(), found.failures), (CauseName::Rejected, Some("401"), 12));
    assert_eq!((&*found.label, found.counts.as_deref()), ("POST /v1/chat/completions", None));
    let said = "All of the last 12 answers to POST /v1/chat/completions are errors: 401 ×12, the last";
    assert!(found.text.contains(said), "{}", found.text);
    assert!(found.advice.as_deref().is_some_and(|advice| advice.contains("API key")), "{found:?}");
    let counts = &status.routes[0].counts;
    assert_eq!((counts.passed, counts.errors, counts.classes["4xx"], counts.statuses["401"]), (12, 12, 12, 12));
    assert_eq!(status.clients[0].counts.statuses["401"], 12, "it shows whose key it is");
    let metrics = desk.page("/metrics").await;
    for line in [
        "tidegate_requests_total{route=\"POST /v1/chat/completions\",outcome=\"passed\"} 0",
        "tidegate_requests_total{route=\"POST /v1/chat/completions\",outcome=\"rejected\"} 12",
        "tidegate_answers_total{route=\"POST /v1/chat/completions\",status=\"401\"} 12",
    ] {
        assert!(metrics.lines().any(|known| known == line), "no {line}: {metrics}");
    }
    desk.weather(r#"{"refuse": "none"}"#).await;
    posts(&desk, 1, 200).await;
    desk.until("thirteen are over", |status| over(status) == 13).await;
    // Twelve of thirteen are still too many, until they are no longer recent.
    assert_eq!(worst(&desk.status().await).cause, CauseName::Rejected);
    for _ in 0..30 {
        desk.clock.step(Duration::from_secs(5)).await;
    }
    desk.until("nothing is the matter", |status| status.worst.is_empty()).await;
}

#[tokio::test]
async fn single_404_and_single_500_are_no_trouble() {
    let desk = Desk::open(POOLS).await;
    assert_eq!(desk.ask("GET", "/v1/nothing", &[], "").await, 404);
    desk.weather(r#"{"refuse": "server-error"}"#).await;
    posts(&desk, 1, 500).await;
    let status = desk.until("two are over", |status| over(status) == 2).await;
    assert!(status.worst.is_empty(), "{:?}", status.worst);
}

/// A wrong key is the worse cause, and costs less here.
#[tokio::test]
async fn what_costs_more_comes_before_the_worse_cause() {
    let desk = Desk::before(POOLS, &["--refuse", "invalid-api-key"]).await;
    for _ in 0..100 {
        desk.ask("POST", "/v1/threads", &[], "{}").await;
    }
    posts(&desk, 3, 401).await;
    let status = desk.until("all are over", |status| over(status) == 103).await;
    let of: Vec<_> = status.worst.iter().map(|worst| (&*worst.label, worst.cause, worst.failures)).collect();
    let expected = [
        ("few", CauseName::OwnLimit, 98),
        ("POST /v1/chat/completions", CauseName::Rejected, 3),
        ("POST /v1/threads", CauseName::Rejected, 2),
    ];
    assert_eq!(of[0], expected[0], "{of:?}");
    assert!(of.len() == 3 && expected.iter().all(|one| of.contains(one)), "{of:?}");
    let ranks: Vec<usize> = status.worst.iter().map(|worst| worst.rank).collect();
    assert_eq!(ranks, [0, 1, 2]);
    let few = status.pools.iter().find(|pool| pool.name == "few").expect("a pool");
    assert_eq!((few.rank, status.worst[0].cost_ms), (0, 98 * 60_000));
}
