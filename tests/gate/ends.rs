//! How each request is told to have ended, and how long it took.

use std::time::Duration;

use tidegate::gate::{End, RequestCounts};

use super::house::{House, accept, nobody, upstream};
use super::resend::{ok, refusal};
use crate::clock::{self, Clock};

const POOLS: &str = r#"
[pools.one]
requests = ["1/2s"]
margin = "0s"

[[routes]]
match = "* /v1/one"
pools = ["one"]

[[routes]]
match = "* /v1/free"
pools = []
"#;

impl House {
    /// What has come of the requests of this route, once one has ended.
    async fn told(&self, route: usize) -> RequestCounts {
        let counted = || self.gate.by_route().swap_remove(route);
        clock::until("it ends", || counted().requests() > 0).await;
        counted()
    }
}

/// The places of the routes, behind the default one.
const ONE: usize = 1;
const FREE: usize = 2;

#[tokio::test]
async fn an_answer_that_came_to_its_end_has_passed_however_its_end_is_told() {
    for (method, answer) in [
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"),
        ("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok"),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"),
        ("GET", "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"),
    ] {
        let (listener, address) = upstream().await;
        let house = House::open(POOLS, address).await;
        let request = format!("{method} /v1/free HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n");
        let serve = async {
            let mut server = accept(&listener).await;
            server.until("\r\n\r\n").await;
            server.send(answer).await;
        };
        let (got, ()) = tokio::join!(house.ask(&request), serve);
        let told = house.told(FREE).await;
        assert_eq!(End::ALL.map(|how| told.ended(how)), [1, 0, 0, 0], "{method} {answer}\n{got}");
        assert_eq!(told.upstream.count(), 1, "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_answer_has_left() {
    let (listener, address) = upstream().await;
    let house = House::open(POOLS, address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/free HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n").await;
    client.until("ok").await;
    drop(client);
    let told = house.told(FREE).await;
    assert_eq!(End::ALL.map(|how| told.ended(how)), [0, 0, 0, 1]);
    assert_eq!((told.wait.count(), told.upstream.count()), (1, 1), "what is known of it is counted");
}

#[tokio::test]
async fn an_answer_that_breaks_off_has_failed() {
    let (listener, address) = upstream().await;
    let house = House::open(POOLS, address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/free HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n").await;
    client.until("ok").await;
    drop(server);
    let told = house.told(FREE).await;
    assert_eq!(End::ALL.map(|how| told.ended(how)), [0, 0, 1, 0]);
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_has_left_and_no_wait_is_known() {
    let (listener, address) = upstream().await;
    let house = House::open(POOLS, address).await;
    let mut first = house.connect().await;
    first.send("GET /v1/one HTTP/1.1\r\nHost: o\r\n\r\n").await;
    let _server = accept(&listener).await;
    let mut client = house.connect().await;
    client.send("GET /v1/one HTTP/1.1\r\nHost: o\r\n\r\n").await;
    house.until("it waits", |now| now.waiting == 1).await;
    drop(client);
    let told = house.told(ONE).await;
    assert_eq!(End::ALL.map(|how| told.ended(how)), [0, 0, 0, 1]);
    assert_eq!((told.wait.count(), told.upstream.count()), (0, 0));
}

/// Until the next may go in the pool.
const WAIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn the_wait_and_the_time_of_the_upstream_are_told_apart() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(POOLS, address).await;
    let request = "GET /v1/one HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";
    let slow = Duration::from_millis(300);
    let serve = async {
        for nth in 0..2 {
            if nth == 1 {
                house.lets_it_wait(&clock, WAIT).await;
            }
            let mut server = accept(&listener).await;
            server.until("\r\n\r\n").await;
            clock.step(slow * nth).await;
            server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
        }
    };
    let ask_twice = async {
        house.ask(request).await;
        house.ask(request).await;
    };
    tokio::join!(ask_twice, serve);
    house.until("both are over", |now| now.totals.released == 2).await;
    let told = house.told(ONE).await;
    assert_eq!((told.requests(), told.wait.count(), told.upstream.count()), (2, 2, 2));
    assert_eq!((told.wait.most, told.upstream.most), (WAIT, slow));
}

#[tokio::test]
async fn a_request_without_an_answer_has_failed_and_one_that_is_refused_was_not_sent() {
    let (_nobody, address) = nobody();
    let house = House::open(POOLS, address).await;
    house.ask("GET /v1/free HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n").await;
    let told = house.told(FREE).await;
    assert_eq!(End::ALL.map(|how| told.ended(how)), [0, 0, 1, 0]);
    house.gate.admission().drain();
    house.ask("GET /v1/one HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n").await;
    let told = house.told(ONE).await;
    assert_eq!(End::ALL.map(|how| told.ended(how)), [0, 1, 0, 0]);
    assert_eq!(house.gate.refusals(), [((None, "tidegate_draining"), 1)]);
    assert_eq!(told.upstream.count(), 0);
}

#[tokio::test]
async fn what_is_sent_again_is_one_request_that_was_retried() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(POOLS, address).await;
    let serve = async {
        let mut waited = Duration::ZERO;
        for (nth, answer) in [refusal(), ok()].iter().enumerate() {
            if nth == 1 {
                waited = house.lets_it_go(&clock).await;
            }
            let mut server = accept(&listener).await;
            server.until("\r\n\r\n").await;
            server.send(answer).await;
        }
        waited
    };
    let (_, waited) = tokio::join!(house.ask("GET /v1/one HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"), serve);
    let told = house.told(ONE).await;
    assert_eq!((told.requests(), told.ended(End::Passed), told.retried), (1, 1, 1));
    assert_eq!(told.wait.most, waited);
    assert_eq!(told.upstream.most, Duration::ZERO, "the wait between is no time of the upstream's");
}
