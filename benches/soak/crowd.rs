use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

/// How many connections there may be at once.
const OPEN: usize = 500;

/// The time from burst to burst.
const PAUSE: Duration = Duration::from_millis(200);

/// Longer than anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many connections, in bursts.
pub(crate) struct Crowd {
    bursts: u64,
    burst: u64,
}

/// What a crowd has met, in connections.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) served: u64,
    pub(crate) refused: u64,
    pub(crate) cut: u64,
}

enum End {
    Served,
    Refused,
    Cut,
}

/// Where a connection is cut.
enum Cut {
    Nowhere,
    /// After so many bytes of the request and so much time.
    Sent(usize, Duration),
    /// After so many bytes of the answer.
    Read(usize),
}

impl Crowd {
    pub(crate) fn new(connections: u64, seconds: u64) -> Self {
        let bursts = seconds * 1_000 / 200;
        Self { bursts, burst: connections.div_ceil(bursts) }
    }

    /// Comes to this address, burst by burst.
    pub(crate) async fn come(&self, address: SocketAddr, seed: u64) -> Result<Met> {
        let (open, mut visits) = (Arc::new(Semaphore::new(OPEN)), JoinSet::new());
        let (mut met, mut bursts) = (Met::default(), interval(PAUSE));
        for burst in 0..self.bursts {
            bursts.tick().await;
            for visitor in 0..self.burst {
                let chance = Rng::with_seed(seed ^ ((burst * self.burst + visitor) << 8));
                let place = Arc::clone(&open).acquire_owned().await?;
                visits.spawn(async move {
                    let _place = place;
                    timeout(PATIENCE, visit(address, chance)).await.context("it hangs")?
                });
            }
            while let Some(visit) = visits.try_join_next() {
                met.count(&visit??);
            }
        }
        while let Some(visit) = visits.join_next().await {
            met.count(&visit??);
        }
        Ok(met)
    }
}

/// One connection, from its beginning to whatever end chance has in store.
async fn visit(address: SocketAddr, mut chance: Rng) -> Result<End> {
    let (request, cut) = (request(&mut chance), &mut chance);
    let cut = Cut::by(cut, request.len());
    let mut stream = TcpStream::connect(address).await.context("connects")?;
    stream.set_nodelay(true)?;
    if chance.bool() && !matches!(cut, Cut::Nowhere) {
        // Half of those who leave do so without a word to the other side.
        stream.set_zero_linger()?;
    }
    let sent = if let Cut::Sent(sent, _) = cut { sent } else { request.len() };
    stream.write_all(&request.as_bytes()[..sent]).await.context("sends")?;
    let mut answer = Vec::new();
    match cut {
        Cut::Sent(_, then) => sleep(then).await,
        Cut::Read(most) => while answer.len() < most && stream.read_buf(&mut answer).await? > 0 {},
        Cut::Nowhere => drop(stream.read_to_end(&mut answer).await.context("reads")?),
    }
    if !matches!(cut, Cut::Nowhere) {
        return Ok(End::Cut);
    }
    let answer = String::from_utf8_lossy(&answer);
    let refused = answer.starts_with("HTTP/1.1 429") && answer.contains("x-tidegate-source: tidegate");
    ensure!(refused || answer.starts_with("HTTP/1.1 200"), "an answer that is neither: {answer}");
    Ok(if refused { End::Refused } else { End::Served })
}

impl Cut {
    /// Half are cut: within what they send, a while after it, or within what they read.
    fn by(chance: &mut Rng, length: usize) -> Self {
        match chance.u8(0..20) {
            0..2 => Self::Sent(chance.usize(0..length), Duration::from_millis(chance.u64(0..30))),
            2..8 => Self::Sent(length, Duration::from_millis(chance.u64(0..300))),
            8..10 => Self::Read(chance.usize(1..1_500)),
            _ => Self::Nowhere,
        }
    }
}

/// A stream of a chat, or a thread.
fn request(chance: &mut Rng) -> String {
    let words = "word ".repeat(chance.usize(0..800));
    let (path, body) = if chance.bool() {
        let messages = format!("[{{\"role\": \"user\", \"content\": \"{words}\"}}]");
        ("chat/completions", format!("{{\"model\": \"gpt-mock\", \"stream\": true, \"messages\": {messages}}}"))
    } else {
        ("threads", format!("{{\"messages\": [{{\"role\": \"user\", \"content\": \"{words}\"}}]}}"))
    };
    format!(
        "POST /v1/{path} HTTP/1.1\r\nhost: soak\r\nconnection: close\r\nx-soak: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        chance.u8(0..20),
        body.len()
    )
}

impl Met {
    fn count(&mut self, end: &End) {
        *match end {
            End::Served => &mut self.served,
            End::Refused => &mut self.refused,
            End::Cut => &mut self.cut,
        } += 1;
    }

    pub(crate) fn all(&self) -> u64 {
        self.served + self.refused + self.cut
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { served, refused, cut } = self;
        write!(f, "{} connections: {served} served, {refused} refused, {cut} cut", self.all())
    }
}
