//! A proxy between the gate and its upstream.

use std::collections::HashMap;

use assert_cmd::Command;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::house::{House, accept, upstream};
use super::upstream::Secure;

const GET: &str = "GET /v1/models?limit=1 HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";

/// "user:pass word" as HTTP's basic authentication has it (RFC 7617).
const BASIC: &str = "Basic dXNlcjpwYXNzIHdvcmQ=";

/// A proxy that takes one connection, answers what it is first told so, and then carries bytes; what it was told.
async fn tunnel(answer: &'static str, to: std::net::SocketAddr) -> (String, oneshot::Receiver<String>) {
    let (listener, address) = upstream().await;
    let (told, head) = oneshot::channel();
    tokio::spawn(async move {
        let mut client = accept(&listener).await;
        told.send(client.until("\r\n\r\n").await).expect("the test waits");
        client.send(answer).await;
        let mut server = TcpStream::connect(to).await.expect("a connection");
        drop(copy_bidirectional(&mut client.0, &mut server).await);
    });
    (address.to_string(), head)
}

/// The head's lines, by the name of each header.
fn headers(head: &str) -> HashMap<String, &str> {
    head.lines().filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value)).collect()
}

#[tokio::test]
async fn https_upstream_is_reached_through_a_tunnel() {
    let secure = Secure::open(false).await;
    let (proxy, head) = tunnel("HTTP/1.1 200 OK\r\n\r\n", secure.address).await;
    let config = format!("{}\nproxy = \"http://user:pass%20word@{proxy}\"", secure.trusted());
    let came = House::open_before("https://api.example.test", &config).await.ask(GET).await;
    assert!(came.starts_with("HTTP/1.1 200") && came.ends_with("HTTP/1.1 GET /v1/models"), "{came}");
    let head = head.await.expect("it was asked");
    assert!(head.starts_with("CONNECT api.example.test:443 HTTP/1.1\r\n"), "{head}");
    assert_eq!(headers(&head)["proxy-authorization"], BASIC);
}

#[tokio::test]
async fn http2_upstream_is_reached_through_a_tunnel() {
    let secure = Secure::open(true).await;
    let (proxy, _head) = tunnel("HTTP/1.1 200 OK\r\n\r\n", secure.address).await;
    let config = format!("{}\nhttp2_connections = 1\nproxy = \"http://{proxy}\"", secure.trusted());
    let came = House::open_before("https://api.example.test:8443", &config).await.ask(GET).await;
    assert!(came.starts_with("HTTP/1.1 200") && came.ends_with("HTTP/2.0 GET /v1/models"), "{came}");
}

#[tokio::test]
async fn proxy_that_refuses_the_tunnel_is_named() {
    let secure = Secure::open(false).await;
    let (proxy, _head) = tunnel("HTTP/1.1 407 Who are you\r\n\r\n", secure.address).await;
    let config = format!("{}\nproxy = \"http://user:secret@{proxy}\"", secure.trusted());
    let came = House::open_before("https://api.example.test", &config).await.ask(GET).await;
    assert!(came.starts_with("HTTP/1.1 502") && came.contains("tidegate_upstream_unreachable"), "{came}");
    assert!(came.contains(&format!("through the proxy http://{proxy}/: ")) && came.contains("authorization"), "{came}");
    assert!(!came.contains("secret"), "{came}");
}

#[tokio::test]
async fn plain_upstream_is_asked_for_by_its_whole_url() {
    let (listener, proxy) = upstream().await;
    let config = format!("proxy = \"http://user:pass%20word@{proxy}\"");
    let house = House::open_before("http://api.example.test:8080/base", &config).await;
    let (came, head) = tokio::join!(house.ask(GET), async {
        let mut server = accept(&listener).await;
        let head = server.until("\r\n\r\n").await;
        server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        head
    });
    assert!(came.ends_with("ok"), "{came}");
    assert!(head.starts_with("GET http://api.example.test:8080/base/models?limit=1 HTTP/1.1\r\n"), "{head}");
    let headers = headers(&head);
    assert_eq!((headers["host"], headers["proxy-authorization"]), ("api.example.test:8080", BASIC));
}

#[tokio::test]
async fn socks5_proxy_resolves_the_name() {
    let (listener, proxy) = upstream().await;
    let house = House::open_before("http://api.example.test", &format!("proxy = \"socks5h://{proxy}\"")).await;
    let (came, ()) = tokio::join!(house.ask(GET), async {
        let mut client = accept(&listener).await;
        let mut greeting = [0; 3];
        client.0.read_exact(&mut greeting).await.expect("reads");
        assert_eq!(greeting, [5, 1, 0]);
        client.send([5, 0]).await;
        let mut wanted = [0; 4 + 1 + 16 + 2];
        client.0.read_exact(&mut wanted).await.expect("reads");
        assert_eq!(wanted[..], *b"\x05\x01\x00\x03\x10api.example.test\x00\x50");
        client.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        assert!(client.until("\r\n\r\n").await.starts_with("GET /v1/models?limit=1 HTTP/1.1\r\n"));
        client.0.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("sends");
    });
    assert!(came.ends_with("ok"), "{came}");
}

/// What `check` says of the way to this upstream in this environment.
fn said(upstream: &str, environment: &[(&str, &str)]) -> String {
    let mut check = Command::cargo_bin("tidegate").expect("the program");
    let check = check.env_clear().envs(environment.iter().copied()).args(["check", "--upstream", upstream]);
    String::from_utf8(check.output().expect("an output").stdout).expect("a text")
}

#[test]
fn environment_names_the_proxy() {
    let (https, http) = ("https://api.example.test", "http://api.example.test");
    for (upstream, variable) in [
        (https, "HTTPS_PROXY"),
        (https, "https_proxy"),
        (https, "ALL_PROXY"),
        (https, "all_proxy"),
        (http, "HTTP_PROXY"),
        (http, "http_proxy"),
    ] {
        let said = said(upstream, &[(variable, "http://user:secret@proxy.test:3128")]);
        let expected = "through the proxy http://proxy.test:3128/, with a user name, as the environment says\n";
        assert!(said.contains(expected) && !said.contains("secret"), "{variable}: {said}");
    }
    for (upstream, environment) in [
        (https, vec![]),
        (https, vec![("HTTP_PROXY", "http://proxy.test")]),
        (https, vec![("HTTPS_PROXY", "http://proxy.test"), ("NO_PROXY", "other.test,.example.test")]),
        (https, vec![("https_proxy", "http://proxy.test"), ("no_proxy", "*")]),
        ("http://127.0.0.1:8000", vec![("HTTP_PROXY", "http://proxy.test")]),
        ("http://[::1]:8000", vec![("ALL_PROXY", "http://proxy.test")]),
        ("http://localhost:8000", vec![("ALL_PROXY", "http://proxy.test")]),
    ] {
        let said = said(upstream, &environment);
        assert!(said.contains("upstream  ") && !said.contains("through the proxy"), "{environment:?}: {said}");
    }
}

/// Only the environment can name such a proxy: `[upstream] proxy` is refused as it is read.
#[test]
fn check_and_serve_refuse_a_proxy_of_another_protocol() {
    let environment = [("ALL_PROXY", "socks4://user:secret@proxy.test:1080")];
    let refuses = |arguments: &[&str]| {
        let mut program = Command::cargo_bin("tidegate").expect("the program");
        let program = program.env_clear().envs(environment).args(arguments);
        let output = program.args(["--upstream", "https://api.example.test"]).output().expect("an output");
        let said = String::from_utf8(output.stderr).expect("a text");
        let expected =
            "the proxy socks4://proxy.test:1080/ on the way to the upstream is none that speaks HTTP or SOCKS5";
        assert!(
            !output.status.success() && said.contains(expected) && !said.contains("secret"),
            "{arguments:?}: {said}"
        );
        output.status
    };
    let serve = refuses(&["serve", "--listen", "127.0.0.1:0", "--admin", "off"]);
    assert_eq!(refuses(&["check"]), serve);
}
