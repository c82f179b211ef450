use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many requests a crowd sends.
pub(crate) const REQUESTS: u32 = 20_000;

type Client = SendRequest<Full<Bytes>>;

/// Sends `requests` over so many connections, and says how long it took.
pub(crate) async fn crowd(address: SocketAddr, connections: u32, requests: u32) -> Result<Duration> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        clients.push(connect(address).await?);
    }
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for (index, mut client) in (0..).zip(clients) {
        let share = requests / connections + u32::from(index < requests % connections);
        workers.spawn(async move {
            for _ in 0..share {
                post(&mut client).await?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(worked) = workers.join_next().await {
        worked??;
    }
    Ok(began.elapsed())
}

/// The median time of a request, one after the other on one connection.
pub(crate) async fn one_by_one(address: SocketAddr, requests: usize) -> Result<Duration> {
    let mut client = connect(address).await?;
    let mut times = Vec::with_capacity(requests);
    for _ in 0..requests {
        let began = Instant::now();
        post(&mut client).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[requests / 2])
}

async fn connect(address: SocketAddr) -> Result<Client> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn post(client: &mut Client) -> Result<()> {
    let request = Request::post("/v1/embeddings")
        .header("host", "gate")
        .header("authorization", "Bearer sk-bench")
        .header("user-agent", "bench")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(&[b' '; 1_024])))?;
    client.ready().await?;
    let answer = client.send_request(request).await?;
    ensure!(answer.status().is_success(), "the upstream's answer is {}", answer.status());
    answer.into_body().collect().await?;
    Ok(())
}
