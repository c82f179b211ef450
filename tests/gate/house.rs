//! A gate on a free port before an upstream of the test's own, and a client that speaks plain bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::alone::alone;
use tidegate::admission::Snapshot;
use tidegate::config::{Config, Source};
use tidegate::gate::{self, Gate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::{self, Clock, in_time, turn};

/// A gate that serves.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Gate,
    stop: Arc<Notify>,
    served: JoinHandle<std::io::Result<()>>,
}

impl House {
    /// A gate with this configuration, before this upstream.
    pub(crate) async fn open(config: &str, upstream: impl std::fmt::Display) -> Self {
        Self::open_before(&format!("http://{upstream}"), config).await
    }

    /// The same, with the upstream's whole URL; the configuration begins with more about the upstream.
    pub(crate) async fn open_before(url: &str, config: &str) -> Self {
        Self::of(&format!("[upstream]\nurl = \"{url}\"\n{config}")).await
    }

    /// A gate with this whole configuration.
    pub(crate) async fn of(text: &str) -> Self {
        let config = Config::parse(&Source::Text("test".to_owned()), &alone(text)).expect("a valid configuration");
        let gate = Gate::start(&config).expect("an upstream");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let serving = gate::run(gate.clone(), listener, config.server.drain, async move { stopped.notified().await });
        Self { address, gate, stop, served: tokio::spawn(serving) }
    }

    /// Tells the gate to stop, as a signal would.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Waits until the gate has stopped.
    pub(crate) async fn stopped(self) {
        let served = in_time("the gate stops", self.served).await;
        served.expect("no panic").expect("no error");
    }

    /// Waits until the state of the gate is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Snapshot) -> bool) {
        clock::until(what, || is_so(&self.gate.admission().snapshot())).await;
    }

    /// Waits until one request is in the queue, and then lets this much time pass.
    pub(crate) async fn lets_it_wait(&self, clock: &Clock, time: Duration) {
        self.until("it waits", |now| now.waiting == 1).await;
        clock.step(time).await;
    }

    /// Waits until one request is in the queue, and then lets time pass until its turn comes; says how long that takes.
    pub(crate) async fn lets_it_go(&self, clock: &Clock) -> Duration {
        self.until("it waits", |now| now.waiting == 1).await;
        let began = Instant::now();
        while self.gate.admission().snapshot().waiting == 1 {
            assert!(began.elapsed() < Duration::from_hours(1), "it waits for ever");
            clock.step(Duration::from_millis(1)).await;
            turn().await;
        }
        began.elapsed()
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire(TcpStream::connect(self.address).await.expect("a connection"))
    }

    /// Sends one request on a connection of its own and reads until the gate closes it.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut wire = self.connect().await;
        wire.send(request).await;
        wire.rest().await
    }
}

/// A connection of plain bytes.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("sends");
    }

    /// Reads until this has come, and gives all that has.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let reading = async {
            while !String::from_utf8_lossy(&read).contains(end) {
                let mut piece = [0; 4096];
                let count = self.0.read(&mut piece).await.expect("reads");
                assert!(count > 0, "closed before {end:?} came: {}", String::from_utf8_lossy(&read));
                read.extend_from_slice(&piece[..count]);
            }
        };
        in_time(end, reading).await;
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads one answer whose length it says; less of it if the other side closes before.
    pub(crate) async fn answer(&mut self) -> Answer {
        let came = self.until("\r\n\r\n").await;
        let (head, body) = came.split_once("\r\n\r\n").expect("a head");
        let (head, mut body) = (head.to_owned(), body.to_owned());
        let length = header(&head, "content-length").expect("a length").parse().expect("a number");
        while body.len() < length {
            let mut piece = vec![0; 65_536];
            let reading = in_time("an answer's body", self.0.read(&mut piece)).await;
            match reading.unwrap_or_default() {
                0 => break,
                count => body += std::str::from_utf8(&piece[..count]).expect("plain text"),
            }
        }
        Answer { is_whole: body.len() == length, head, body }
    }

    /// Reads until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        String::from_utf8_lossy(&self.rest_of_bytes().await).into_owned()
    }

    pub(crate) async fn rest_of_bytes(&mut self) -> Vec<u8> {
        let mut read = Vec::new();
        // A connection that is reset has been closed as well.
        drop(in_time("the other side closes", self.0.read_to_end(&mut read)).await);
        read
    }
}

/// An answer as it came.
pub(crate) struct Answer {
    head: String,
    pub(crate) body: String,
    /// Whether it came to its end.
    pub(crate) is_whole: bool,
}

impl Answer {
    pub(crate) fn status(&self) -> &str {
        &self.head[9..12]
    }

    pub(crate) fn wait_ms(&self) -> u64 {
        header(&self.head, "x-tidegate-wait-ms").expect("it says its wait").parse().expect("a number")
    }
}

pub(crate) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// An upstream that takes one connection after the other, and hands each to the test.
pub(crate) async fn upstream() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// The next connection of the gate.
pub(crate) async fn accept(listener: &TcpListener) -> Wire {
    Wire(in_time("the gate connects", listener.accept()).await.expect("accepts").0)
}

/// Nobody has connected to this upstream: the first connection that it takes is one that the test makes now.
pub(crate) async fn assert_untouched(listener: &TcpListener) {
    let own = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
    let first = accept(listener).await.0.peer_addr().expect("an address");
    assert_eq!(first, own.local_addr().expect("an address"), "something was forwarded");
}

/// An address where nobody listens, and nobody else will while the socket is kept.
pub(crate) fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}
