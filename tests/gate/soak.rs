//! Crowds of connections, most of which are cut: within their request, while they wait or are under way, and within the
//! answer. Every place is accounted for in the end. `make soak` does it with 100,000, in real time and with the programs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use fastrand::Rng;
use tidegate::admission::Snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::cuts::is_even;
use super::house::{House, upstream};
use crate::clock::{Clock, in_time, real_sleep, until};

/// Chance starts here, so that every run cuts at the same points.
const SEED: u64 = 3;

const CROWDS: usize = 25;
const CROWD: usize = 40;

/// Two pools, one of them with many instances; both are full, and those who wait long are refused.
const CONFIG: &str = r#"
[queue]
max_wait = "250ms"

[pools.crowd]
requests = ["300/s"]
in_flight = 5

[pools.threads]
requests = ["200/s"]
in_flight = 1
key = ["header.x-soak"]

[[routes]]
match = "POST /v1/chat/completions"
pools = ["crowd"]

[[routes]]
match = "POST /v1/threads"
pools = ["threads", "crowd"]
"#;

/// What every request has once in its head.
const MARK: &[u8] = b"\r\nx-soak: ";

/// The upstream's answer: a head and pieces, with some time before each.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1200\r\n\r\n";
const PIECES: usize = 3;
const GAP: Duration = Duration::from_millis(5);

/// Where a connection is cut.
#[derive(Clone, Copy)]
enum Cut {
    Nowhere,
    /// After so many bytes of the request.
    Sent(usize),
    /// Once the gate has the request.
    Come,
    /// After so many bytes of the answer.
    Read(usize),
}

/// What has become of the crowds, in connections.
#[derive(Debug, Default)]
struct Met {
    served: u64,
    refused: u64,
    /// Asked, and left before the whole answer.
    left: u64,
}

impl Cut {
    fn by(chance: &mut Rng, length: usize) -> Self {
        match chance.u8(0..10) {
            0..2 => Self::Sent(chance.usize(0..length)),
            2..5 => Self::Come,
            5..7 => Self::Read(chance.usize(1..1_500)),
            _ => Self::Nowhere,
        }
    }
}

/// A chat, or a thread.
fn request(chance: &mut Rng) -> String {
    let (path, body) = (["chat/completions", "threads"][chance.usize(..2)], "x".repeat(chance.usize(0..4_000)));
    format!(
        "POST /v1/{path} HTTP/1.1\r\nhost: o\r\nconnection: close\r\nx-soak: {}\r\ncontent-length: {}\r\n\r\n{body}",
        chance.u8(0..20),
        body.len()
    )
}

/// Serves this connection, and counts the requests that begin on it.
async fn serve(mut gate: TcpStream, begun: Arc<AtomicU64>) -> io::Result<()> {
    let (mut from, mut to) = gate.split();
    let mut read = Vec::new();
    while from.read_buf(&mut read).await? > 0 {
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        assert!(read[..end].windows(MARK.len()).any(|window| window == MARK), "a head of its own");
        begun.fetch_add(1, Relaxed);
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let whole = end + 4 + length.unwrap_or(0);
        while read.len() < whole {
            if from.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        read.drain(..whole);
        to.write_all(HEAD.as_bytes()).await?;
        for _ in 0..PIECES {
            sleep(GAP).await;
            to.write_all("y".repeat(1_200 / PIECES).as_bytes()).await?;
        }
    }
    Ok(())
}

async fn open_upstream() -> (SocketAddr, Arc<AtomicU64>) {
    let ((listener, address), begun) = (upstream().await, Arc::<AtomicU64>::default());
    let counted = Arc::clone(&begun);
    tokio::spawn(async move {
        while let Ok((gate, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            // That either side closes it is how a connection ends here.
            tokio::spawn(async move { drop(serve(gate, counted).await) });
        }
    });
    (address, begun)
}

/// Half of those who leave do so without a word to the other side.
fn leave(stream: TcpStream, chance: &mut Rng) {
    if chance.bool() {
        stream.set_zero_linger().expect("a setting");
    }
    drop(stream);
}

/// Reads the answer, to its end or to where it is cut; whether it was the upstream's, if it is whole.
async fn read(mut stream: TcpStream, cut: Cut, mut chance: Rng) -> Option<bool> {
    let mut answer = Vec::new();
    let most = if let Cut::Read(most) = cut { most } else { usize::MAX };
    while answer.len() < most && stream.read_buf(&mut answer).await.expect("reads") > 0 {}
    if !matches!(cut, Cut::Nowhere) {
        leave(stream, &mut chance);
        return None;
    }
    let answer = String::from_utf8_lossy(&answer);
    let refused = answer.starts_with("HTTP/1.1 429") && answer.contains("x-tidegate-source: tidegate");
    let served = answer.starts_with("HTTP/1.1 200") && answer.ends_with(&"y".repeat(1_200));
    assert!(refused || served, "an answer that is neither: {answer}");
    Some(served)
}

impl Met {
    /// How many must have come to the gate with a whole request.
    fn came(&self) -> u64 {
        self.served + self.refused + self.left
    }

    /// A crowd comes at once, and the clock goes until it has gone.
    async fn meet(&mut self, house: &House, clock: &Clock, chance: &mut Rng) {
        let mut crowd = Vec::new();
        for _ in 0..CROWD {
            let request = request(chance);
            let (mut stream, cut) = (house.connect().await.0, Cut::by(chance, request.len()));
            let sent = if let Cut::Sent(sent) = cut { sent } else { request.len() };
            stream.write_all(&request.as_bytes()[..sent]).await.expect("sends");
            if matches!(cut, Cut::Sent(_)) { leave(stream, chance) } else { crowd.push((stream, cut)) }
        }
        let came = self.came() + crowd.len() as u64;
        let has_come = |now: &Snapshot| {
            now.totals.granted + now.totals.refused + now.totals.cancelled + now.waiting as u64 >= came
        };
        house.until("all have come", has_come).await;
        let (leaving, staying): (Vec<_>, Vec<_>) = crowd.into_iter().partition(|(_, cut)| matches!(cut, Cut::Come));
        self.left += leaving.len() as u64;
        leaving.into_iter().for_each(|(stream, _)| leave(stream, chance));
        let mut reading: JoinSet<_> =
            staying.into_iter().map(|(stream, cut)| read(stream, cut, chance.fork())).collect();
        let gone = async {
            while !reading.is_empty() {
                while let Some(read) = reading.try_join_next() {
                    *match read.expect("an answer") {
                        None => &mut self.left,
                        Some(true) => &mut self.served,
                        Some(false) => &mut self.refused,
                    } += 1;
                }
                clock.step(GAP).await;
                real_sleep(Duration::from_millis(1)).await;
            }
        };
        in_time("all have gone", gone).await;
    }
}

#[tokio::test]
async fn crowds_cut_anywhere_leave_nothing_behind() {
    let clock = Clock::stop();
    let (address, begun) = open_upstream().await;
    let house = House::open(CONFIG, address).await;
    let (mut met, mut chance) = (Met::default(), Rng::with_seed(SEED));
    for _ in 0..CROWDS {
        met.meet(&house, &clock, &mut chance).await;
    }
    house.until("nothing is left", is_even).await;
    let tally = house.gate.admission().snapshot().totals;
    assert_eq!(tally.granted + tally.refused + tally.cancelled, met.came(), "{tally:?}, {met:?}");
    assert!(tally.cancelled > 0, "nobody left while it waited: {tally:?}");
    assert!(tally.refused >= met.refused && tally.sent >= met.served, "{tally:?}, {met:?}");
    until("all that was sent has come", || begun.load(Relaxed) == tally.sent).await;
}
