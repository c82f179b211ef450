//! Observe mode: everything passes at once, and what enforcement would have done is counted.

use std::time::Duration;

use tidegate::admission::Snapshot;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::house::{House, accept, header, upstream};
use crate::clock::{Clock, turn};

/// A small pool before which there is little room to wait.
const SMALL: &str = r#"
[pools.small]
requests = ["5/10s"]
in_flight = 3
max_waiting = 6
max_wait = "16s"

[[routes]]
match = "POST /v1/small"
pools = ["small"]
"#;

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// Answers every request with this.
async fn answer_all(listener: TcpListener, answer: &'static str) {
    loop {
        let mut wire = accept(&listener).await;
        tokio::spawn(async move {
            wire.until("\r\n\r\n").await;
            wire.send(answer).await;
        });
    }
}

/// What was done, or would have been.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    waited: u64,
    wait: Duration,
    refused: u64,
}

impl Done {
    /// What these answers say of it.
    fn told(answers: &[String]) -> Self {
        let mut done = Self::default();
        for answer in answers {
            let wait: u64 = header(answer, "x-tidegate-wait-ms").and_then(|ms| ms.parse().ok()).unwrap_or_default();
            if answer.starts_with("HTTP/1.1 429 ") {
                done.refused += 1;
            } else if wait > 0 {
                done.waited += 1;
                done.wait += Duration::from_millis(wait);
            }
        }
        done
    }
}

/// Sixty requests at times that a seed gives, the same in both modes.
async fn play(clock: &Clock, mode: &str) -> Done {
    let (listener, address) = upstream().await;
    let (mut clients, _upstream) = (JoinSet::new(), AbortOnDropHandle::new(tokio::spawn(answer_all(listener, OK))));
    let house = House::open(&SMALL.replace("[[routes]]", &format!("mode = \"{mode}\"\n[[routes]]")), address).await;
    let mut random = fastrand::Rng::with_seed(7);
    for count in 1..=60 {
        clock.step(Duration::from_millis(random.u64(10..2_000))).await;
        let mut client = house.connect().await;
        client.send("POST /v1/small HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}").await;
        clients.spawn(async move { client.rest().await });
        let is_decided = |now: &Snapshot| {
            let decided = now.totals.granted + now.totals.refused + now.waiting as u64;
            let is_idle = now.instances.iter().all(|one| one.usage.in_flight == 0);
            decided >= count && is_idle && (mode == "enforce" || house.gate.by_route()[1].requests() == count)
        };
        house.until("it is decided, and what goes is answered", is_decided).await;
    }
    while house.gate.admission().snapshot().waiting > 0 {
        clock.step(Duration::from_millis(100)).await;
        turn().await;
    }
    house.until("all is over", |now| now.totals.released == now.totals.granted).await;
    let answers = clients.join_all().await;
    assert_eq!(answers.len(), 60);
    if mode == "enforce" {
        return Done::told(&answers);
    }
    assert_eq!(Done::told(&answers), Done::default(), "nothing is held up");
    let observed = house.gate.observed()[1];
    Done { waited: observed.waited, wait: observed.wait, refused: observed.refused }
}

#[tokio::test]
async fn observed_is_what_enforcement_does() {
    let clock = Clock::stop();
    let (enforced, observed) = (play(&clock, "enforce").await, play(&clock, "observe").await);
    assert!(enforced.waited > 10 && enforced.refused > 5, "{enforced:?}");
    assert_eq!((observed.waited, observed.refused), (enforced.waited, enforced.refused));
    // Headers say whole milliseconds.
    assert!(
        observed.wait.abs_diff(enforced.wait) <= Duration::from_millis(enforced.waited),
        "{observed:?} {enforced:?}"
    );
}

/// What an upstream that is overrun says: it passes as it is, and is not sent again.
const REFUSED: &str = "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 7\r\n\r\nslow up";

/// A gate that only observes, with a quota, a shared GET and a pool that is soon full.
async fn observing(address: std::net::SocketAddr) -> House {
    let shared = "[[routes]]\nmatch = \"GET /v1/shared\"\npools = [\"small\"]\ncoalesce = true\nreuse = \"1m\"\n";
    let upstream = format!("[upstream]\nurl = \"http://{address}\"\n[clients]\nquota = \"8/h\"\n");
    House::of(&format!("mode = \"observe\"\n{upstream}{SMALL}{shared}")).await
}

#[tokio::test]
async fn observed_refusal_of_the_upstream_is_passed_on() {
    let _clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = observing(address).await;
    let client = async {
        house.ask("POST /v1/small HTTP/1.1\r\nHost: o\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody").await
    };
    let serving = async {
        let mut wire = accept(&listener).await;
        let request = wire.until("body").await;
        wire.send(REFUSED).await;
        request
    };
    let (answer, request) = tokio::join!(client, serving);
    assert!(request.ends_with("\r\n\r\nbody"), "{request}");
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.ends_with("\r\n\r\nslow up"), "{answer}");
    let head = answer.to_lowercase();
    assert!(!head.contains("retry") && head.contains("x-tidegate-attempts: 1\r\n"), "{answer}");
    assert_eq!(house.gate.admission().snapshot().refusals, []);
}

#[tokio::test]
async fn observed_gate_holds_and_shares_nothing() {
    let _clock = Clock::stop();
    let (listener, address) = upstream().await;
    let house = observing(address).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(answer_all(listener, OK));
    for _ in 0..20 {
        let answer = house.ask("GET /v1/shared HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("x-tidegate-source: upstream"), "{answer}");
    }
    // The quota has room for eight requests, and the pool for five of them.
    assert_eq!(house.gate.observed_refusals(), [((None, "tidegate_client_quota"), 12)]);
    assert_eq!(house.gate.admission().snapshot().waiting, 3);
    assert!(house.gate.only_observes() && house.gate.refusals().is_empty());
}
