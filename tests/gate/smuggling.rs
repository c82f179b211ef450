//! What two servers might read differently: it is refused, or goes on in one form.

use super::house::{House, accept, assert_untouched, upstream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const ADDS_KEY: &str = "api_key_env = \"CARGO_PKG_NAME\"\n";

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn mixed_disguises_are_refused() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    for path in [
        "/v1%2fchat/a\\..\\..\\..\\b/../completions",
        "/v1\\chat/a%2f..%2f..%2f..%2fb/../completions",
        "/v1/threads/t/%2e%2e/../runs",
    ] {
        let came = house.ask(&get(path, "")).await;
        assert!(came.starts_with("HTTP/1.1 400") && came.contains("tidegate_bad_request"), "{path}: {came}");
    }
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn single_disguises_take_from_the_pools_they_may_lead_to() {
    let config =
        "[pools.chat]\nrequests = [\"1000/min\"]\n[[routes]]\nmatch = \"* /v1/chat/completions\"\npools = [\"chat\"]";
    let (listener, address) = upstream().await;
    let house = House::open(config, address).await;
    for path in
        ["/v1/chat/completions%0a", "/v1/chat/completions%20", "//x/v1/chat/completions", "///x/v1/chat/completions"]
    {
        let mut client = house.connect().await;
        client.send(get(path, "")).await;
        let mut server = accept(&listener).await;
        assert!(server.until("\r\n\r\n").await.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{path}");
        server.send(OK).await;
        assert!(client.until("ok").await.contains("x-tidegate-pools: chat\r\n"), "{path}");
    }
}

#[tokio::test]
async fn head_that_only_looks_like_an_upgrade_stays_strict() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let behind = "GET /v1/z HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let mut client = house.connect().await;
    client.send(format!("GET /v1/x HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\n\r\n{behind}")).await;
    let mut server = accept(&listener).await;
    server.until("\r\n\r\n").await;
    server.send(OK).await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 200") && came.contains("HTTP/1.1 400"), "{came}");
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn trailers_are_filtered_like_headers() {
    let (listener, address) = upstream().await;
    let house = House::open("", address).await;
    let names = ["Connection", "Keep-Alive", "Proxy-Authorization", "Upgrade", "Expect", "X-Tidegate-Priority", "Host"];
    let trailers: String = names.iter().map(|name| format!("{name}: evil\r\n")).collect::<Vec<_>>().concat();
    let announced = names.join(", ");
    let mut client = house.connect().await;
    let head = format!("POST /v1/x HTTP/1.1\r\nHost: g\r\nTE: trailers\r\nTrailer: {announced}, X-Sum\r\n");
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n{trailers}X-Sum: 1\r\n\r\n")).await;
    let mut server = accept(&listener).await;
    let got = server.until("x-sum: 1\r\n").await;
    assert!(!got.contains("evil"), "{got}");
    let head = format!("HTTP/1.1 200 OK\r\nTrailer: {announced}, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n");
    server.send(format!("{head}1\r\na\r\n0\r\n{trailers}X-Sum: 1\r\n\r\n")).await;
    let came = client.until("0\r\n").await;
    assert!(!came.contains("evil"), "{came}");
}

#[tokio::test]
async fn trace_goes_without_the_key_and_no_further_than_it_asks() {
    let (listener, address) = upstream().await;
    let house = House::open(ADDS_KEY, address).await;
    for method in ["TRACE", "OPTIONS"] {
        let last = get("/v1/x", "Max-Forwards: 0\r\n").replacen("GET", method, 1);
        let came = house.ask(&last).await;
        assert!(came.starts_with("HTTP/1.1 501"), "{method}: {came}");
    }
    for (method, is_keyed) in [("TRACE", false), ("OPTIONS", true)] {
        let mut client = house.connect().await;
        client.send(get("/v1/x", "Max-Forwards: 3\r\nAuthorization: Bearer app\r\n").replacen("GET", method, 1)).await;
        let mut server = accept(&listener).await;
        let got = server.until("\r\n\r\n").await;
        assert!(got.contains("max-forwards: 2\r\n") && !got.contains("app"), "{got}");
        assert_eq!(got.contains("authorization: Bearer tidegate"), is_keyed, "{got}");
        server.send(OK).await;
        client.until("ok").await;
    }
}
