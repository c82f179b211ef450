//! What one client may send, and what the others notice of it.

use super::house::{House, Wire, accept, upstream};

/// A gate whose clients may send one request an hour, told apart like this.
async fn gate(by: &str) -> House {
    let (listener, address) = upstream().await;
    tokio::spawn(async move {
        loop {
            let mut server: Wire = accept(&listener).await;
            server.until("\r\n\r\n").await;
            server.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok").await;
        }
    });
    House::open(&format!("[clients]\nquota = \"1/h\"\nby = [{by}]\n"), address).await
}

async fn status(gate: &House, headers: &str) -> String {
    let came = gate.ask(&format!("GET /v1/models HTTP/1.1\r\nHost: o\r\nConnection: close\r\n{headers}\r\n")).await;
    let refused = came.contains("tidegate_client_quota") && came.contains("retry-after: 60\r\n");
    assert_eq!(came.starts_with("HTTP/1.1 429"), refused, "{came}");
    came[9..12].to_owned()
}

#[tokio::test]
async fn a_client_beyond_its_quota_is_refused_and_others_are_not() {
    let gate = gate("\"authorization\"").await;
    assert_eq!(status(&gate, "Authorization: Bearer wild\r\n").await, "200");
    assert_eq!(status(&gate, "Authorization: Bearer wild\r\n").await, "429");
    assert_eq!(status(&gate, "Authorization: Bearer calm\r\n").await, "200");
}

#[tokio::test]
async fn clients_are_told_apart_by_all_that_is_named() {
    let gate = gate("\"x-tidegate-client\", \"peer\"").await;
    assert_eq!(status(&gate, "x-tidegate-client: one\r\n").await, "200");
    assert_eq!(status(&gate, "x-tidegate-client: two\r\nAuthorization: Bearer x\r\n").await, "200");
    assert_eq!(status(&gate, "x-tidegate-client: two\r\nAuthorization: Bearer y\r\n").await, "429");
}

#[tokio::test]
async fn who_comes_from_the_same_address_is_one_client_by_peer() {
    let gate = gate("\"peer\"").await;
    assert_eq!(status(&gate, "Authorization: Bearer one\r\n").await, "200");
    assert_eq!(status(&gate, "Authorization: Bearer two\r\n").await, "429");
}
