//! What the upstream refuses and waits once more: streams that are kept alive meanwhile, and hints that make no sense.

use std::time::Duration;

use tokio::time::Instant;

use super::house::accept;
use super::resend::{SOON, answer, get, has, is_over, open, refusal, take};

/// After how long a stream that waits is told so.
const KEPT: Duration = Duration::from_secs(1);

const EVENTS: &str = "data: {\"n\": 1}\n\ndata: [DONE]\n\n";

fn stream(path: &str) -> String {
    let body = r#"{"stream": true}"#;
    format!("POST {path} HTTP/1.1\r\nHost: o\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_stream_that_is_refused_and_waits_is_kept_alive() {
    let (house, listener, clock) = open().await;
    let mut client = house.connect().await;
    client.send(&stream("/v1/soon")).await;
    let mut server = accept(&listener).await;
    server.until("true}").await;
    server.send(&refusal()).await;
    house.lets_it_wait(&clock, KEPT).await;
    let came = client.until(" 1000 ms so far\n\n").await;
    assert!(came.starts_with("HTTP/1.1 200") && has(&came, "x-tidegate-source: tidegate"), "{came}");
    clock.step(SOON).await;
    let mut server = accept(&listener).await;
    server.until("true}").await;
    server.send(&answer("200 OK", "content-type: text/event-stream\r\n", EVENTS)).await;
    let came = client.until("0\r\n\r\n").await;
    assert!(came.contains(EVENTS), "{came}");
    house.until("all is over", is_over).await;
}

/// While the upstream thinks, the head is its own; once it has refused, nobody has to wait for a head any more.
#[tokio::test]
async fn a_stream_that_is_refused_late_is_answered_as_soon_as_it_waits_again() {
    let (house, listener, clock) = open().await;
    let (mut client, mut next) = (house.connect().await, house.connect().await);
    client.send(&stream("/v1/never")).await;
    let mut server = accept(&listener).await;
    server.until("true}").await;
    next.send(&stream("/v1/never")).await;
    house.lets_it_wait(&clock, KEPT).await;
    // That the next is answered shows that the first would have been.
    next.until(" 1000 ms so far\n\n").await;
    clock.step(KEPT / 2).await;
    server.send(&refusal()).await;
    let came = client.until(" ms so far\n\n").await;
    assert!(came.starts_with("HTTP/1.1 200") && came.contains(" 1500 ms so far\n\n"), "{came}");
    assert!(!came.contains(" 1000 ms so far"), "{came}");
    drop((client, next));
    house.until("nothing is left", is_over).await;
}

#[tokio::test]
async fn a_hint_of_nothing_is_no_leave_to_hammer_and_the_deadline_holds() {
    let (house, listener, clock) = open().await;
    let (mut client, began) = (house.connect().await, Instant::now());
    client.send(&get("/v1/wide", "x-tidegate-max-wait: 2s\r\n")).await;
    let at_once = refusal().replace("content-type", "retry-after: 0\r\ncontent-type");
    let hammered = async {
        loop {
            take(&listener, &at_once).await;
            house.until("it waits or is over", |now| now.waiting == 1 || is_over(now)).await;
            while house.gate.admission().snapshot().waiting == 1 {
                clock.step(Duration::from_millis(10)).await;
                tokio::task::yield_now().await;
            }
        }
    };
    let came = tokio::select! {
        came = client.rest() => came,
        never = hammered => never,
    };
    assert!(came.starts_with("HTTP/1.1 429") && has(&came, "x-tidegate-source: upstream"), "{came}");
    let sent = came.split("x-tidegate-attempts: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("attempts");
    assert!(sent.parse::<u32>().expect("a number") < 20, "{came}");
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
}
