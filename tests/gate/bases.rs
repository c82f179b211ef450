//! Upstreams whose paths do not begin with `/v1`, targets that are meant for others, and ways that lead back.

use super::house::{House, accept, assert_untouched, upstream};

/// What the upstream with this base path got of a request for this path, and the answer, which was this.
async fn asked(base: &str, path: &str, answer: &str) -> (String, String) {
    let (listener, address) = upstream().await;
    let house = House::open("", format!("{address}{base}")).await;
    let mut client = house.connect().await;
    client.send(format!("POST {path} HTTP/1.1\r\nHost: o\r\nContent-Length: 13\r\n\r\n{{\"model\":\"m\"}}")).await;
    let mut server = accept(&listener).await;
    let got = server.until("\r\n\r\n").await;
    server.send(answer.replace("UPSTREAM", &address.to_string())).await;
    let came = client.until("\r\n\r\n").await;
    (got.split(' ').nth(1).expect("a target").to_owned(), came)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn every_documented_base_is_paced_by_its_models() {
    const CHAT: &str = "/v1/chat/completions";
    for (base, path, target) in [
        ("", CHAT, CHAT),
        ("/v1", CHAT, CHAT),
        ("/v1", "/chat/completions", CHAT),
        ("", "/chat/completions", "/chat/completions"),
        ("/openai/v1", CHAT, "/openai/v1/chat/completions"),
        ("/api/v1/", CHAT, "/api/v1/chat/completions"),
        ("/v1beta/openai/", CHAT, "/v1beta/openai/chat/completions"),
        ("/v1beta/openai", "/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions"),
        ("/v1beta/openai", "/chat/completions", "/v1beta/openai/chat/completions"),
        ("/api/paas/v4", CHAT, "/api/paas/v4/chat/completions"),
        ("/v1/account/gate/openai", CHAT, "/v1/account/gate/openai/chat/completions"),
        ("/inference", CHAT, "/inference/chat/completions"),
        ("/my/own/prefix", CHAT, "/my/own/prefix/chat/completions"),
        ("/openai/deployments/g?api-version=1", CHAT, "/openai/deployments/g/chat/completions?api-version=1"),
        ("", "/api/paas/v4/chat/completions", "/api/paas/v4/chat/completions"),
        ("", "/openai/deployments/g/embeddings?api-version=1", "/openai/deployments/g/embeddings?api-version=1"),
        ("/api/anthropic", "/v1/messages", "/api/anthropic/v1/messages"),
    ] {
        let (got, came) = asked(base, path, OK).await;
        assert_eq!(got, target, "{path} behind {base:?}");
        assert!(came.contains("x-tidegate-pools: models\r\n"), "{path} behind {base:?}: {came}");
    }
}

#[tokio::test]
async fn location_of_the_upstream_leads_back_to_the_gate() {
    for (base, location, expected) in [
        ("", "http://UPSTREAM/v1/models?x=1", "/v1/models?x=1"),
        ("/api/v3", "http://UPSTREAM/api/v3/models", "/v1/models"),
        ("/api/v3", "/api/v3/models", "/v1/models"),
        ("", "/v1/models", "/v1/models"),
        ("", "http://other.example/v1/models", "http://other.example/v1/models"),
    ] {
        for status in ["307 Temporary Redirect", "201 Created"] {
            let answer = format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            let (_, came) = asked(base, "/v1/models/", &answer).await;
            assert!(came.contains(&format!("location: {expected}\r\n")), "{status} {location}: {came}");
        }
    }
}

#[tokio::test]
async fn target_of_another_server_is_misdirected() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let port = house.address.port();
    for target in [
        "https://api.example.com/v1/messages".to_owned(),
        "http://api.example.com/v1/messages".to_owned(),
        format!("http://127.0.0.1:{}/v1/models", address.port()),
        format!("http://127.0.0.2:{port}/v1/models"),
    ] {
        let came = house.ask(&format!("GET {target} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n")).await;
        assert!(came.starts_with("HTTP/1.1 421 ") && came.contains("tidegate_misdirected"), "{target}: {came}");
        assert!(came.contains("OPENAI_BASE_URL") && came.contains("x-should-retry: false\r\n"), "{came}");
    }
    assert_untouched(&listener).await;
    for host in ["127.0.0.1", "localhost"] {
        let mut client = house.connect().await;
        client.send(format!("GET http://{host}:{port}/v1/models HTTP/1.1\r\nHost: o\r\n\r\n")).await;
        let mut server = accept(&listener).await;
        assert!(server.until("\r\n\r\n").await.starts_with("GET /v1/models HTTP/1.1\r\n"));
        server.send(OK).await;
        client.until("ok").await;
    }
}

#[tokio::test]
async fn request_that_comes_back_is_a_loop() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let mut client = house.connect().await;
    client.send("GET /v1/models HTTP/1.1\r\nHost: o\r\ntidegate-hops: 0123\r\n\r\n").await;
    let mut server = accept(&listener).await;
    let got = server.until("\r\n\r\n").await;
    server.send(OK).await;
    client.until("ok").await;
    let hops = got.lines().find(|line| line.starts_with("tidegate-hops: 0123, ")).expect("it says where it was");
    let came = house.ask(&format!("GET /v1/models HTTP/1.1\r\nHost: o\r\nConnection: close\r\n{hops}\r\n\r\n")).await;
    assert!(came.starts_with("HTTP/1.1 508 ") && came.contains("tidegate_loop") && came.contains("loop"), "{came}");
    assert!(came.contains("x-should-retry: false\r\n"), "{came}");
    drop(server);
    assert_untouched(&listener).await;
}
