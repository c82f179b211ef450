use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

/// How many streams there are at once.
pub(crate) const STREAMS: u32 = 20;

const EVENTS: u32 = 200;
const GAP: Duration = Duration::from_millis(10);
const MARK: &str = "data: ";

/// What the listeners saw.
pub(crate) struct Seen {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// The share of reads that held one event.
    pub(crate) alone: f64,
}

/// Starts an upstream in a thread of its own whose events say when they were sent.
pub(crate) fn upstream() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(send(stream));
            }
            #[allow(unreachable_code, reason = "it says what the block's errors are")]
            Ok::<_, std::io::Error>(())
        })
    });
    Ok(address)
}

async fn send(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = [0; 2_048];
    let _length = stream.read(&mut head).await?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut ticks = interval(GAP);
    for _ in 0..EVENTS {
        ticks.tick().await;
        let event = format!("{MARK}{:>20}\n\n", since_start().as_nanos());
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
    }
    stream.write_all(b"0\r\n\r\n").await?;
    sleep(GAP).await;
    Ok(())
}

/// Reads all streams to their ends, and says how late the events came.
pub(crate) async fn listen(address: SocketAddr) -> Result<Seen> {
    since_start();
    let mut listeners = JoinSet::new();
    for _ in 0..STREAMS {
        listeners.spawn(read(address));
        sleep(GAP / STREAMS).await;
    }
    let (mut late, mut alone, mut reads) = (Vec::new(), 0.0, 0.0);
    while let Some(read) = listeners.join_next().await {
        for times in read?? {
            reads += 1.0;
            alone += f64::from(u8::from(times.len() == 1));
            late.extend(times);
        }
    }
    late.sort_unstable();
    ensure!(late.len() == (STREAMS * EVENTS) as usize, "{} events came", late.len());
    Ok(Seen { p50: late[late.len() / 2], p99: late[late.len() * 99 / 100], alone: alone / reads })
}

/// How late the events of each read were.
async fn read(address: SocketAddr) -> Result<Vec<Vec<Duration>>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /v1/stream HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n").await?;
    let mut reads = Vec::new();
    let mut piece = vec![0; 65_536];
    loop {
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Ok(reads);
        }
        let now = since_start();
        let text = String::from_utf8_lossy(&piece[..length]);
        let sent = text.split(MARK).skip(1).filter_map(|rest| rest.get(..20)?.trim().parse().ok());
        let late: Vec<Duration> = sent.map(|sent| now.saturating_sub(Duration::from_nanos(sent))).collect();
        if !late.is_empty() {
            reads.push(late);
        }
    }
}

fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
