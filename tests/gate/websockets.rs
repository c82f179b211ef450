//! WebSockets on a path whose `POST` takes from pools: each turn takes from them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use tidegate::gate::End;

use super::house::{House, accept, upstream};
use crate::clock::{self, Clock, in_time};

const TURNS: &str = r#"
[pools.models]
requests = ["1/min"]
key = ["body.model", "account"]
max_wait = "90s"

[[routes]]
match = "POST /v1/responses"
pools = ["models"]

[[routes]]
match = "GET /v1/responses"
"#;

const UPGRADE: &str = "GET /v1/responses HTTP/1.1\r\nHost: o\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

type Socket = WebSocketStream<TcpStream>;

/// A gate, and what it sends requests to.
async fn open() -> (House, TcpListener) {
    let (listener, address) = upstream().await;
    (House::open(TURNS, address).await, listener)
}

/// Both ends of a WebSocket through the gate.
async fn connect(house: &House, listener: &TcpListener) -> (Socket, Socket) {
    let mut client = house.connect().await;
    client.send(UPGRADE).await;
    let mut server = accept(listener).await;
    let head = server.until("\r\n\r\n").await;
    assert!(!head.contains("permessage-deflate"), "compressed messages could not be read: {head}");
    server.send(SWITCHED).await;
    client.until("\r\n\r\n").await;
    let client = WebSocketStream::from_raw_socket(client.0, Role::Client, None).await;
    (client, WebSocketStream::from_raw_socket(server.0, Role::Server, None).await)
}

async fn says(socket: &mut Socket, event: Value) {
    socket.send(Message::text(event.to_string())).await.expect("sends");
}

async fn hears(socket: &mut Socket) -> Value {
    let message = in_time("a message", socket.next()).await.expect("no end").expect("no error");
    serde_json::from_str(message.to_text().expect("a text")).expect("JSON")
}

fn create(model: &str) -> Value {
    json!({ "type": "response.create", "model": model, "input": "hello" })
}

#[tokio::test]
async fn each_turn_takes_from_the_pool_of_its_model() {
    let clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut client, mut server) = connect(&house, &listener).await;
    for event in [create("one"), create("two"), json!({ "type": "response.cancel" })] {
        says(&mut client, event.clone()).await;
        assert_eq!(hears(&mut server).await, event);
    }
    says(&mut client, create("one")).await;
    house.until("the turn waits", |now| now.waiting == 1).await;
    says(&mut server, json!({ "type": "response.output_text.delta", "delta": "x" })).await;
    assert_eq!(hears(&mut client).await["delta"], "x", "what the upstream says goes on");
    clock.step(Duration::from_secs(61)).await;
    assert_eq!(hears(&mut server).await, create("one"));
}

#[tokio::test]
async fn turn_that_comes_too_late_is_refused_in_an_event() {
    let _clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut client, mut server) = connect(&house, &listener).await;
    says(&mut client, create("one")).await;
    hears(&mut server).await;
    says(&mut client, create("one")).await;
    house.until("the second waits", |now| now.waiting == 1).await;
    let (mut late, mut others) = connect(&house, &listener).await;
    says(&mut late, create("one")).await;
    let event = hears(&mut late).await;
    assert_eq!((&event["type"], &event["status"]), (&json!("error"), &json!(429)), "{event}");
    assert_eq!(event["error"]["code"], "tidegate_wait_too_long", "{event}");
    says(&mut late, create("two")).await;
    assert_eq!(hears(&mut others).await, create("two"), "the connection lasts");
}

#[tokio::test]
async fn client_that_closes_leaves_the_queue() {
    let _clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut client, mut server) = connect(&house, &listener).await;
    says(&mut client, create("one")).await;
    hears(&mut server).await;
    says(&mut client, create("one")).await;
    house.until("the turn waits", |now| now.waiting == 1).await;
    client.close(None).await.expect("closes");
    house.until("it waits no more", |now| now.waiting == 0).await;
    let end = in_time("the close", server.next()).await.expect("a message").expect("no error");
    assert!(end.is_close(), "{end:?}");
}

/// Of each turn, the route and what became of it.
#[tokio::test]
async fn turns_count_as_requests_of_their_route() {
    let _clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut client, mut server) = connect(&house, &listener).await;
    says(&mut client, create("one")).await;
    hears(&mut server).await;
    says(&mut server, json!({ "type": "response.completed", "response": { "id": "resp_1" } })).await;
    hears(&mut client).await;
    says(&mut client, create("two")).await;
    hears(&mut server).await;
    says(&mut server, json!({ "type": "error", "status": 400, "error": { "message": "no" } })).await;
    hears(&mut client).await;
    says(&mut client, create("one")).await;
    house.until("the turn waits", |now| now.waiting == 1).await;
    let (mut late, _server) = connect(&house, &listener).await;
    says(&mut late, create("one")).await;
    hears(&mut late).await;
    says(&mut client, create("three")).await;
    client.close(None).await.expect("closes");
    let is_over = || house.gate.by_route()[1].requests() == 4;
    clock::until("the turn that waited is over", is_over).await;
    let posts = &house.gate.by_route()[1];
    let ended = [End::Passed, End::Refused, End::Left].map(|end| posts.ended(end));
    assert_eq!((ended, posts.errors), ([2, 1, 1], 1));
}

#[tokio::test]
async fn turn_whose_upstream_closes_has_failed() {
    let _clock = Clock::stop();
    let (house, listener) = open().await;
    let (mut client, mut server) = connect(&house, &listener).await;
    says(&mut client, create("one")).await;
    hears(&mut server).await;
    server.close(None).await.expect("closes");
    let end = in_time("the close", client.next()).await.expect("a message").expect("no error");
    assert!(end.is_close(), "{end:?}");
    clock::until("it is over", || house.gate.by_route()[1].ended(End::Failed) == 1).await;
}

/// The second turn of a model would wait for a minute, and the tenth would be refused.
#[tokio::test]
async fn observed_turns_go_at_once_and_are_counted() {
    let clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = House::open(&TURNS.replace("max_wait", "mode = \"observe\"\nmax_wait"), address).await;
    let (mut client, mut server) = connect(&house, &listener).await;
    for _ in 0..3 {
        says(&mut client, create("one")).await;
        assert_eq!(hears(&mut server).await, create("one"));
        says(&mut server, json!({ "type": "response.completed" })).await;
        hears(&mut client).await;
    }
    assert_eq!(house.gate.observed()[1].refused, 1);
    house.until("the second would wait", |now| now.waiting == 1).await;
    clock.step(Duration::from_secs(61)).await;
    clock::until("it would have gone", || house.gate.observed()[1].waited == 1).await;
    assert!(house.gate.observed()[1].wait >= Duration::from_mins(1), "{:?}", house.gate.observed());
    assert_eq!(house.gate.by_route()[1].ended(End::Passed), 3);
}
