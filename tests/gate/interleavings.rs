//! Two credentials ask for the same things at once. Some clients leave, some read late, and some of the answers are errors
//! or break off: everybody ends with what he would have got alone.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::coalesce::ROUTES;
use super::house::{House, Wire, upstream};

const CLIENTS: usize = 25;
const STEPS: usize = 400;

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Error,
    BrokenOff,
    /// Nothing of its answer had come when it broke off.
    Unanswered,
    Left,
}

/// Says whose answer it is, of what, and with which status; now and then it is long, an error, or breaks off.
async fn whose(uri: http::Uri, headers: http::HeaderMap) -> Response {
    sleep(Duration::from_micros(fastrand::u64(0..3_000))).await;
    let status = if fastrand::u8(0..20) == 0 { 500 } else { 200 };
    let filled = "x".repeat(if fastrand::u8(0..20) == 0 { 300_000 } else { 10 });
    let said = format!("{} {} {status} {filled}.", headers["authorization"].to_str().unwrap_or_default(), uri.path());
    let response = Response::builder().status(status).header("content-length", said.len());
    let breaks_off = fastrand::u8(0..10) == 0;
    let body = if breaks_off { broken_off(said) } else { said.into() };
    response.body(body).expect("an answer")
}

/// The first half, and after a while an end that is none.
fn broken_off(said: String) -> Body {
    let half = Bytes::from(said).split_to(20);
    let parts = stream::unfold(Some(half), |half| async move {
        let Some(half) = half else {
            sleep(Duration::from_millis(5)).await;
            return Some((Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe)), None));
        };
        Some((Ok(half), None))
    });
    Body::from_stream(parts)
}

/// One request, and what came of it. The connection is there afterwards if it still can be used.
async fn step(house: &House, connection: &mut Option<Wire>) -> End {
    let (who, run) = (fastrand::u8(0..2), fastrand::u8(0..2));
    let method = if fastrand::u8(0..20) == 0 { "DELETE" } else { "GET" };
    let mut wire = match connection.take() {
        Some(wire) => wire,
        None => house.connect().await,
    };
    wire.send(format!("{method} /v1/runs/{run} HTTP/1.1\r\nHost: o\r\nauthorization: key-{who}\r\n\r\n")).await;
    match fastrand::u8(0..20) {
        0 => return left(wire).await,
        1 => sleep(Duration::from_millis(10)).await,
        _ => {}
    }
    let answer = wire.answer().await;
    let (status, body) = (answer.status(), &*answer.body);
    let own = format!("key-{who} /v1/runs/{run} {status} ");
    if status == "502" && body.contains("tidegate_upstream_unreachable") {
        return End::Unanswered;
    }
    if !answer.is_whole {
        assert!(own.starts_with(&body[..body.len().min(own.len())]), "{own}: {body}");
        return End::BrokenOff;
    }
    assert!(body.starts_with(&own) && body.ends_with("x."), "{own}: {body:.100}");
    *connection = Some(wire);
    if status == "200" { End::Whole } else { End::Error }
}

/// Somewhere on the way.
async fn left(wire: Wire) -> End {
    sleep(Duration::from_micros(fastrand::u64(0..4_000))).await;
    drop(wire);
    End::Left
}

#[tokio::test]
async fn in_ten_thousand_interleavings_each_ends_with_what_it_would_have_got_alone() {
    let (listener, address) = upstream().await;
    let router = axum::Router::new().fallback(axum::routing::any(whose));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = ROUTES.replace("300ms", "2ms").replace("1000/s", "100000/s");
    let house = std::sync::Arc::new(House::open(&config, address).await);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let house = std::sync::Arc::clone(&house);
        clients.spawn(async move {
            let (mut connection, mut ends) = (None, Vec::new());
            for _ in 0..STEPS {
                ends.push(step(&house, &mut connection).await);
            }
            ends
        });
    }
    let ends: Vec<End> = clients.join_all().await.into_iter().flatten().collect();
    let count = |end| ends.iter().filter(|other| **other == end).count();
    let counts = [End::Whole, End::Error, End::BrokenOff, End::Left, End::Unanswered].map(count);
    assert_eq!(ends.len(), CLIENTS * STEPS);
    assert!(counts[0] > 6_000 && counts[1..4].iter().all(|count| *count > 30) && counts[4] < 100, "{counts:?}");
    let all = house.gate.coalesced();
    let runs = all.iter().find(|coalesced| coalesced.route.contains("/v1/runs/")).expect("it is coalesced");
    assert!(runs.joined > 500 && runs.reused > 500, "{runs:?}");
    house.until("nothing is left", |now| now.tally.landed == now.tally.granted).await;
}
