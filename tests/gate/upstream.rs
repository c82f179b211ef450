//! Upstreams that speak TLS and HTTP/2.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::house::{House, upstream};
use super::resend::LIMITED;
use crate::clock::Clock;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// An upstream with a certificate of its own, and which of its connections have been used.
pub(super) struct Secure {
    pub(super) address: SocketAddr,
    authority: NamedTempFile,
    used: Arc<Mutex<HashSet<SocketAddr>>>,
}

impl Secure {
    pub(super) async fn open(http2: bool) -> Self {
        let names = ["127.0.0.1".to_owned(), "api.example.test".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a key");
        let mut authority = NamedTempFile::new().expect("a file");
        authority.write_all(cert.pem().as_bytes()).expect("writes");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let mut config = builder.with_single_cert(vec![cert.der().clone()], key).expect("a certificate");
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let used = Arc::default();
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), http2, Arc::clone(&used)));
        Self { address, authority, used }
    }

    /// A gate before it; `more` is the rest of its upstream's configuration.
    async fn gate(&self, more: &str) -> House {
        House::open_before(&format!("https://{}", self.address), more).await
    }

    pub(super) fn trusted(&self) -> String {
        format!("ca_file = '{}'", self.authority.path().display())
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, http2: bool, used: Arc<Mutex<HashSet<SocketAddr>>>) {
    while let Ok((stream, peer)) = listener.accept().await {
        let (tls, used) = (tls.clone(), Arc::clone(&used));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let answer = service_fn(move |request: Request<Incoming>| {
                used.lock().expect("no panic").insert(peer);
                let said = format!("{:?} {} {}", request.version(), request.method(), request.uri().path());
                async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(said)))) }
            });
            let stream = TokioIo::new(stream);
            // That the gate closes it is how a connection ends here.
            if http2 {
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                drop(server.serve_connection(stream, answer).await);
            } else {
                drop(hyper::server::conn::http1::Builder::new().serve_connection(stream, answer).await);
            }
        });
    }
}

/// An upstream that speaks HTTP/2 without TLS, refuses every other request, and sends back the bodies of the rest.
async fn refusing_by_turns() -> SocketAddr {
    let (listener, address) = upstream().await;
    let refuses = Arc::new(AtomicBool::new(true));
    let answer = move |request: Request<Incoming>| {
        let refuses = refuses.fetch_not(Ordering::Relaxed);
        async move {
            let body = request.into_body().collect().await.expect("a whole body").to_bytes();
            let mut answer = Response::new(Full::new(if refuses { Bytes::from(LIMITED) } else { body }));
            *answer.status_mut() = if refuses { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK };
            Ok::<_, Infallible>(answer)
        }
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service_fn(answer.clone())));
        }
    });
    address
}

const GET: &str = "GET /v1/models HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_trusted_upstream_is_spoken_to_over_tls() {
    let upstream = Secure::open(false).await;
    let came = upstream.gate(&upstream.trusted()).await.ask(GET).await;
    assert!(came.starts_with("HTTP/1.1 200") && came.ends_with("HTTP/1.1 GET /v1/models"), "{came}");
}

#[tokio::test]
async fn an_upstream_that_nobody_vouches_for_is_not_spoken_to() {
    let (upstream, other) = (Secure::open(false).await, Secure::open(false).await);
    let came = upstream.gate(&other.trusted()).await.ask(GET).await;
    assert!(came.starts_with("HTTP/1.1 502") && came.contains("tidegate_upstream_unreachable"), "{came}");
    assert!(came.contains("certificate"), "{came}");
    assert!(upstream.used.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn http_2_goes_over_several_connections() {
    let upstream = Secure::open(true).await;
    let gate = upstream.gate(&format!("{}\nhttp2_connections = 3", upstream.trusted())).await;
    for _ in 0..6 {
        let came = gate.ask(GET).await;
        assert!(came.ends_with("HTTP/2.0 GET /v1/models"), "{came}");
    }
    assert_eq!(upstream.used.lock().expect("no panic").len(), 3);
}

#[tokio::test]
async fn what_is_refused_over_http_2_is_sent_again_whole() {
    let pools = "[pools.all]\nrequests = [\"1000/s\"]\n[[routes]]\nmatch = \"POST /v1/chat\"\npools = [\"all\"]\n";
    let (clock, upstream) = (Clock::stop(), refusing_by_turns().await);
    let house = House::open(&format!("http2_connections = 1\n{pools}"), upstream).await;
    for body in ["one", "another"] {
        // After so long no refusal holds a request up any more.
        clock.step(Duration::from_mins(5)).await;
        let head = format!("POST /v1/chat HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: {}", body.len());
        let request = format!("{head}\r\n\r\n{body}");
        let (came, _) = tokio::join!(house.ask(&request), house.lets_it_go(&clock));
        assert!(came.starts_with("HTTP/1.1 200") && came.ends_with(&format!("\r\n\r\n{body}")), "{came}");
        assert!(came.contains("x-tidegate-attempts: 2\r\n"), "{came}");
    }
}
