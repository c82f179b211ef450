//! Connections that have left HTTP.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::house::{House, Wire, accept, upstream};
use crate::clock::Clock;

const UPGRADE: &str = "GET /v1/realtime HTTP/1.1\r\nHost: o\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// A relay, and both of its ends.
async fn relay() -> (House, Wire, Wire) {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send(UPGRADE).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send(SWITCHED).await;
    client.until("\r\n\r\n").await;
    (house, client, server)
}

#[tokio::test]
async fn relay_without_a_word_lasts() {
    let clock = Clock::stop();
    let (_house, mut client, mut server) = relay().await;
    clock.step(Duration::from_hours(2)).await;
    client.send("ping").await;
    server.until("ping").await;
    server.send("pong").await;
    client.until("pong").await;
}

#[tokio::test]
async fn half_closed_relay_carries_what_still_comes() {
    let clock = Clock::stop();
    let (_house, mut client, mut server) = relay().await;
    server.0.shutdown().await.expect("closes its half");
    assert_eq!(client.rest().await, "");
    for piece in ["one", "two", "three"] {
        client.send(piece).await;
        server.until(piece).await;
        clock.step(Duration::from_secs(50)).await;
    }
    client.0.shutdown().await.expect("closes its half");
    assert_eq!(server.rest().await, "");
}

#[tokio::test]
async fn half_closed_relay_ends_when_nothing_comes() {
    let clock = Clock::stop();
    for closes_first in ["client", "server"] {
        let (_house, mut client, mut server) = relay().await;
        let (first, last) =
            if closes_first == "client" { (&mut client, &mut server) } else { (&mut server, &mut client) };
        first.0.shutdown().await.expect("closes its half");
        assert_eq!(last.rest().await, "");
        // The gate has closed its half towards the other, which now keeps silent.
        let began = Instant::now();
        tokio::select! {
            _ = first.rest_of_bytes() => assert!((59..130).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed()),
            never = clock.runs(Duration::from_secs(1)) => match never {},
        }
    }
}
