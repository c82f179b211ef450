//! Web pages that would use a gate: as bytes, in the ways in which browsers send their requests.

use super::house::{House, accept, assert_untouched, upstream};

/// A variable that is surely there; whatever it holds goes on as the key.
const ADDS_KEY: &str = "api_key_env = \"CARGO_PKG_NAME\"\n";

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept-Language: en-US,en;q=0.9\r\n";

fn request(method: &str, host: &str, headers: &str) -> String {
    let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
    format!("{method} /v1/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{headers}\r\n")
}

#[tokio::test]
async fn no_page_spends_the_key() {
    let (listener, address) = upstream().await;
    let house = House::open(ADDS_KEY, address).await;
    let own = house.address.to_string();
    let (lan, rebound) = ("192.168.1.5:4290", "evil.example:4290");
    let origin = |host: &str| format!("Origin: http://{host}\r\n");
    for attack in [
        // An image, a script, a frame; a form, a beacon, a fetch; a preflight.
        request("GET", &own, "Sec-Fetch-Site: cross-site\r\n"),
        request("GET", &own, "Sec-Fetch-Site: same-site\r\n"),
        request("POST", &own, &format!("{}Sec-Fetch-Site: cross-site\r\n", origin("evil.example"))),
        request("POST", &own, &origin("evil.example")),
        request("POST", &own, "Origin: null\r\n"),
        request("OPTIONS", &own, &format!("{}Access-Control-Request-Method: POST\r\n", origin("127.0.0.1:1"))),
        // The same on an address for which browsers do not say the site.
        request("GET", lan, BROWSER),
        request("GET", lan, &format!("{BROWSER}Accept: text/html\r\nReferer: http://evil.example/\r\n")),
        request("POST", lan, &format!("{BROWSER}{}", origin("evil.example"))),
        // After rebinding the page is of the gate's own origin.
        request("GET", rebound, BROWSER),
        request("GET", rebound, "Sec-Fetch-Site: same-origin\r\n"),
        request("POST", rebound, &origin(rebound)),
        request("GET", "tidegate:4290", ""),
        "GET http://evil.example/v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".to_owned(),
        // A WebSocket, which any page may open and read.
        request("GET", &own, &format!("{HANDSHAKE}{}", origin("evil.example"))).replacen(
            "Connection: close\r\n",
            "",
            1,
        ),
        request("GET", &own, &format!("{HANDSHAKE}{}", origin(&own))).replacen("Connection: close\r\n", "", 1),
    ] {
        let came = house.ask(&attack).await;
        assert!(came.starts_with("HTTP/1.1 403") && came.contains("tidegate_cross_site"), "{attack}{came}");
        assert!(!came.contains("access-control-allow-origin"), "{attack}{came}");
    }
    assert_untouched(&listener).await;
}

#[tokio::test]
async fn no_page_uses_up_the_quota_of_a_client() {
    let (listener, address) = upstream().await;
    let config = format!("{ADDS_KEY}[clients]\nby = [\"peer\"]\nquota = \"1/h\"");
    let house = House::open(&config, address).await;
    for _ in 0..3 {
        let came = house.ask(&request("GET", "127.0.0.1", "Sec-Fetch-Site: cross-site\r\n")).await;
        assert!(came.starts_with("HTTP/1.1 403"), "{came}");
    }
    passes(&house, &listener, &request("GET", "127.0.0.1", "")).await;
}

/// The request reaches the upstream, and its answer the client.
async fn passes(house: &House, listener: &tokio::net::TcpListener, request: &str) -> String {
    let mut client = house.connect().await;
    client.send(request).await;
    let mut server = accept(listener).await;
    let got = server.until("\r\n\r\n").await;
    server.send(OK).await;
    client.until("ok").await;
    got
}

#[tokio::test]
async fn apps_spend_the_key_by_address_and_by_allowed_name() {
    let (listener, address) = upstream().await;
    let config = format!("{ADDS_KEY}[server]\nallowed_hosts = [\"gate.lan\", \"app.lan:3000\"]");
    let house = House::open(&config, address).await;
    let own = house.address.to_string();
    for (host, headers) in [
        (&*own, ""),
        ("localhost:4290", ""),
        ("[::1]:4290", "User-Agent: OpenAI/JS 6.0\r\nAccept-Language: *\r\nSec-Fetch-Mode: cors\r\n"),
        ("192.168.1.5:4290", ""),
        ("gate.lan:4290", ""),
        // What a user types into a browser, and a page that the configuration names.
        (&*own, &format!("{BROWSER}Sec-Fetch-Site: none\r\n")),
        (&*own, "Origin: http://app.lan:3000\r\nSec-Fetch-Site: cross-site\r\n"),
        ("gate.lan:4290", &format!("{BROWSER}Origin: http://gate.lan\r\n")),
    ] {
        let got = passes(&house, &listener, &request("GET", host, headers)).await;
        assert!(got.contains("authorization: Bearer tidegate\r\n"), "{got}");
    }
}

#[tokio::test]
async fn page_that_is_allowed_opens_a_websocket() {
    let (listener, address) = upstream().await;
    let house = House::open(&format!("{ADDS_KEY}[server]\nallowed_hosts = [\"app.lan\"]"), address).await;
    for origin in ["Origin: https://app.lan\r\n", ""] {
        let mut client = house.connect().await;
        client.send(format!("GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1\r\n{origin}{HANDSHAKE}\r\n")).await;
        let got = accept(&listener).await.until("\r\n\r\n").await;
        assert!(got.contains("upgrade: websocket"), "{got}");
    }
}

#[tokio::test]
async fn page_with_a_key_of_its_own_reads_what_the_gate_says() {
    let (listener, address) = upstream().await;
    let config = "[pools.one]\nrequests = [\"1/h\"]\nwhen_full = \"refuse\"\n[[routes]]\nmatch = \"GET /v1/x\"\npools = [\"one\"]";
    let house = House::open(config, address).await;
    let page =
        format!("{BROWSER}Origin: http://app.example\r\nSec-Fetch-Site: cross-site\r\nAuthorization: Bearer sk\r\n");
    let of_page = |method: &str| request(method, "gate.lan:4290", &page);
    let got = passes(&house, &listener, &of_page("GET")).await;
    assert!(got.contains("origin: http://app.example\r\n") && got.contains("authorization: Bearer sk\r\n"), "{got}");
    // A preflight takes from no pool, and is the upstream's to answer.
    passes(&house, &listener, &of_page("OPTIONS")).await;
    let refused = house.ask(&of_page("GET")).await;
    assert_readable(&refused, "429");
    assert!(refused.contains("\r\nretry-after: ") && refused.contains("retry-after-ms, x-should-retry"), "{refused}");
    let mut client = house.connect().await;
    client.send(of_page("POST")).await;
    drop(accept(&listener).await);
    assert_readable(&client.rest().await, "502");
}

fn assert_readable(came: &str, status: &str) {
    let allowed = "\r\naccess-control-allow-origin: *\r\naccess-control-expose-headers: ";
    assert!(came.starts_with(&format!("HTTP/1.1 {status}")) && came.contains(allowed), "{came}");
}
