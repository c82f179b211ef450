//! Happy eyeballs (RFC 8305): of all the addresses of a name, the first to answer is taken.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;

/// How long one address has before the next is tried as well (RFC 8305 §5 recommends 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How long a connection may be still before the system asks whether the other side is there. A
/// guess: middleboxes forget idle connections after minutes.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// How long it waits between two such questions, and how many stay without an answer before the connection is dead. A
/// guess: with `KEEPALIVE`, a peer that has lost power is noticed within two minutes.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

const NO_ADDRESS: &str = "the host has no address";

/// The addresses of a host, which is looked up anew each time.
pub(super) async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    if addresses.is_empty() { Err(io::Error::new(io::ErrorKind::NotFound, NO_ADDRESS)) } else { Ok(addresses) }
}

/// Connects to one of the addresses of a host.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    race(by_turns(addresses)).await
}

/// Tries one address after the other, the next when one fails or has been silent for `ATTEMPT_DELAY`.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut untried = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, NO_ADDRESS);
    loop {
        attempts.extend(untried.next().map(open));
        tokio::select! {
            attempt = attempts.next() => match attempt {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => failed = error,
                None => return Err(failed),
            },
            () = sleep(ATTEMPT_DELAY), if untried.len() > 0 => {}
        }
    }
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    probe(&stream)?;
    Ok(stream)
}

/// Has the system ask whether the other side of a silent connection is still there.
///
/// # Errors
/// The system does not.
pub fn probe(stream: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(PROBE_INTERVAL).with_retries(PROBES);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

/// The two families by turns, beginning with the one that the resolver puts first (RFC 8305 §4).
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    while first.len() + second.len() > 0 {
        ordered.extend(first.next());
        ordered.extend(second.next());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::Instant;

    /// An address where nobody answers: who would listen has taken as many connections as may wait.
    async fn silent() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let listener = socket.listen(0).expect("listens");
        let address = listener.local_addr().expect("an address");
        let waiting = vec![TcpStream::connect(address).await.expect("the one that may wait")];
        (listener, waiting, address)
    }

    /// With its clock paused, tokio moves it on to the next timer whenever nothing else is to be done.
    #[tokio::test(start_paused = true)]
    async fn silent_address_costs_a_quarter_of_a_second() {
        let (_full, _waiting, silent) = silent().await;
        let live = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = live.local_addr().expect("an address");
        let began = Instant::now();
        let reached = race(vec![silent, address]).await.expect("a connection");
        assert_eq!(reached.peer_addr().expect("an address"), address);
        // Timers go off at whole milliseconds of the runtime's.
        assert!((250..=251).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn system_probes_a_silent_connection() {
        let live = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let stream = open(live.local_addr().expect("an address")).await.expect("a connection");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), PROBE_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn refused_address_costs_no_time() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.and_then(|it| it.local_addr()).expect("an address");
        let live = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = live.local_addr().expect("an address");
        let began = Instant::now();
        let reached = race(vec![nobody, address]).await.expect("a connection");
        assert_eq!(reached.peer_addr().expect("an address"), address);
        assert!(began.elapsed() < ATTEMPT_DELAY);
    }

    #[test]
    fn families_take_turns_in_resolver_order() {
        let parse = |addresses: &[&str]| addresses.iter().map(|it| it.parse().expect("an address")).collect::<Vec<_>>();
        let found = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"]);
        assert_eq!(by_turns(found), parse(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(by_turns(parse(&["127.0.0.1:1", "[::1]:1"])), parse(&["127.0.0.1:1", "[::1]:1"]));
    }
}
