//! Another configuration takes over while requests are under way, and no connection is closed.

use std::sync::Arc;

use tidegate::config::{Config, DEFAULT, Difference, Source};

use super::house::{House, accept, upstream};
use crate::alone::alone;
use crate::clock::Clock;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const POST: &str = "POST /v1/chat HTTP/1.1\r\nHost: o\r\nContent-Length: 2\r\n\r\n{}";

fn parsed(text: &str) -> Config {
    Config::parse(&Source::Text("test".to_owned()), &alone(text)).expect("a valid configuration")
}

impl House {
    /// As the reloader does it. `before` is what was in force.
    fn reload(&self, before: &str, text: &str) -> Vec<String> {
        let (before, mut config) = (parsed(before), parsed(text));
        config.routes = Arc::new(config.routes.following(&before.routes));
        let difference = Difference::between(&before, &config).expect("it can be taken over");
        let gate = self.gate.following(&config, difference.is_of_upstream()).expect("an upstream");
        self.gate.take_over(gate, &config);
        difference.lines().to_vec()
    }
}

fn with(upstream: std::net::SocketAddr, more: &str) -> String {
    format!("[upstream]\nurl = \"http://{upstream}\"\n{more}")
}

#[test]
fn same_file_again_is_no_change() {
    for text in [DEFAULT, "[pools.a]\nrequests = [\"1/s\"]\n[[routes]]\nmatch = \"GET /v1/a\"\npools = [\"a\"]\n"] {
        let (one, mut other) = (parsed(text), parsed(text));
        other.routes = Arc::new(other.routes.following(&one.routes));
        assert_eq!(Difference::between(&one, &other), Ok(Difference::default()));
    }
}

#[tokio::test]
async fn new_upstream_gets_the_next_request_of_a_connection() {
    let ((one, first), (other, second)) = (upstream().await, upstream().await);
    let before = with(first, "");
    let house = House::of(&before).await;
    let mut client = house.connect().await;
    client.send(POST).await;
    let mut server = accept(&one).await;
    server.until("{}").await;
    assert_eq!(house.reload(&before, &with(second, "")), ["[upstream] is changed"]);
    server.send(OK).await;
    assert!(client.until("ok").await.starts_with("HTTP/1.1 200"), "what is under way ends where it went");
    client.send(POST).await;
    let mut server = accept(&other).await;
    server.until("{}").await;
    server.send(OK).await;
    assert!(client.until("ok").await.starts_with("HTTP/1.1 200"));
    assert_eq!(house.gate.connections().closed, 0);
}

#[tokio::test]
async fn clients_are_told_apart_anew_on_an_open_connection() {
    let _clock = Clock::stop();
    let (listener, address) = upstream().await;
    let before = with(address, "[clients]\nby = [\"x-team\"]\nquota = \"1/h\"\n");
    let house = House::of(&before).await;
    let mut client = house.connect().await;
    let post = POST.replace("\r\nHost", "\r\nX-Team: a\r\nX-Job: b\r\nHost");
    client.send(&post).await;
    let mut server = accept(&listener).await;
    server.until("{}").await;
    server.send(OK).await;
    client.until("ok").await;
    client.send(&post).await;
    assert_eq!(client.answer().await.status(), "429");
    let lines = house.reload(&before, &with(address, "[clients]\nby = [\"x-job\"]\nquota = \"1/h\"\n"));
    assert_eq!(lines, ["[clients] is changed"]);
    client.send(&post).await;
    server.until("{}").await;
    server.send(OK).await;
    assert!(client.until("ok").await.starts_with("HTTP/1.1 200"), "another client has a quota of its own");
}

#[tokio::test]
async fn waiting_request_keeps_its_place_over_a_reload() {
    let _clock = Clock::stop();
    let (listener, address) = upstream().await;
    let pool = "[pools.one]\nin_flight = 1\n";
    let of = |route: &str| with(address, &format!("{pool}[[routes]]\nmatch = \"POST {route}\"\npools = [\"one\"]\n"));
    let before = of("/v1/chat");
    let house = House::of(&before).await;
    let (mut first, mut second) = (house.connect().await, house.connect().await);
    first.send(POST).await;
    let mut server = accept(&listener).await;
    server.until("{}").await;
    second.send(POST).await;
    house.until("it waits", |now| now.waiting == 1).await;
    let lines = house.reload(&before, &of("/v1/other"));
    assert_eq!(lines, ["POST /v1/chat is removed", "POST /v1/other is new"]);
    assert_eq!(house.gate.admission().snapshot().waiting, 1);
    server.send(OK).await;
    first.until("ok").await;
    server.until("{}").await;
    server.send(OK).await;
    assert!(second.until("ok").await.contains("x-tidegate-route: POST /v1/chat\r\n"));
    first.send(POST).await;
    server.until("{}").await;
    server.send(OK).await;
    assert!(first.until("ok").await.contains("x-tidegate-route: default\r\n"), "by the routes in force");
}
