//! The way through a whole gate, on real sockets.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tidegate::gate::{self, Gate};
use tidegate_lab::mock::Mock;
use tokio::net::TcpListener;

use super::crowd::Way;

pub(crate) struct Sockets {
    client: Client<HttpConnector, Full<Bytes>>,
    gate: SocketAddr,
}

impl Way for Sockets {
    async fn ask(&self, mut request: Request<Full<Bytes>>) {
        *request.uri_mut() = format!("http://{}{}", self.gate, request.uri()).parse::<Uri>().expect("a URL");
        let answer = self.client.request(request).await.expect("an answer");
        answer.into_body().collect().await.expect("the whole of it");
    }
}

impl Sockets {
    /// To a gate that serves until the runtime ends.
    pub(crate) async fn to(gate: Gate) -> Self {
        let (listener, address) = listen().await;
        tokio::spawn(gate::run(gate, listener, Duration::ZERO, pending()));
        Self { client: Client::builder(TokioExecutor::new()).build_http(), gate: address }
    }
}

/// Where this stand-in serves until the runtime ends.
pub(crate) async fn serve(mock: Mock) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(mock.run(listener, pending()));
    address
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}
