//! However a request ends, its places are given back or spent, and that once: it is cut at every stage, on real sockets.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tidegate::admission::{InstanceState, RequestTotals, Snapshot};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::house::{House, Wire, accept, nobody, upstream};
use super::resend::refusal;
use crate::clock::{self, Clock};

/// One at a time, and a route whose body is read before it may wait.
const ONE: &str = r#"
[pools.cut]
requests = ["1000000/min"]
in_flight = 1
max_wait = "2h"

[[routes]]
match = "POST /v1/cut"
pools = ["cut"]

[[routes]]
match = "POST /v1/counted"
pools = ["cut:body.file_ids"]
"#;

const WHOLE: &str = "POST /v1/cut HTTP/1.1\r\nHost: o\r\nContent-Length: 10\r\n\r\n0123456789";
const HALF: &str = "POST /v1/cut HTTP/1.1\r\nHost: o\r\nContent-Length: 10\r\n\r\n01234";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const HALF_OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok";

const NOTHING: RequestTotals =
    RequestTotals { granted: 0, refused: 0, cancelled: 0, refunded: 0, sent: 0, released: 0 };
const SENT: RequestTotals = RequestTotals { granted: 1, sent: 1, released: 1, ..NOTHING };
const GIVEN_BACK: RequestTotals = RequestTotals { granted: 1, refunded: 1, released: 1, ..NOTHING };

/// Nobody waits, nothing is held or in flight, and every place that was granted is accounted for.
pub(super) fn is_even(now: &Snapshot) -> bool {
    let RequestTotals { granted, refunded: given_back, sent, released: landed, .. } = now.totals;
    let taken =
        |instance: &InstanceState| (instance.waiting, instance.usage.reserved, instance.usage.in_flight) != (0, 0, 0);
    now.waiting == 0 && !now.instances.iter().any(taken) && granted == given_back + sent && granted == landed
}

impl House {
    /// Waits until everything is over, and checks what it has come to, in the tally and in the window.
    async fn ends(&self, tally: RequestTotals) {
        self.until("all is over", |now| is_even(now) && now.totals == tally).await;
        let instances = self.gate.admission().snapshot().instances;
        let spent: u64 = instances.iter().flat_map(|at| &at.usage.windows).map(|(_, used)| used).sum();
        assert_eq!(spent, tally.sent, "what the window holds");
    }

    /// A client that has sent this and whose request is with the upstream.
    async fn under_way(&self, listener: &TcpListener, request: &str) -> (Wire, Wire) {
        let mut client = self.connect().await;
        client.send(request).await;
        let mut server = accept(listener).await;
        server.until("\r\n\r\n").await;
        (client, server)
    }
}

#[tokio::test]
async fn a_client_that_leaves_within_the_head_has_asked_nothing() {
    let (_listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let mut client = house.connect().await;
    client.send(&WHOLE[..20]).await;
    drop(client);
    clock::until("the connection is closed", || house.gate.connections().closed == 1).await;
    house.ends(NOTHING).await;
}

#[tokio::test]
async fn a_client_that_leaves_within_a_body_that_is_read_first_has_asked_nothing() {
    let (_listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let mut client = house.connect().await;
    client.send(&HALF.replace("/v1/cut", "/v1/counted")).await;
    drop(client);
    clock::until("the connection is closed", || house.gate.connections().closed == 1).await;
    house.ends(NOTHING).await;
}

#[tokio::test]
async fn a_client_that_leaves_within_a_body_that_is_under_way_has_spent_its_place() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (client, mut server) = house.under_way(&listener, HALF).await;
    drop(client);
    house.ends(SENT).await;
    assert!(!server.rest().await.ends_with("56789"), "the upstream took it for whole");
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_has_spent_nothing() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    for (left, request) in (1..).zip([WHOLE, HALF]) {
        let (first, mut server) = house.under_way(&listener, WHOLE).await;
        let mut client = house.connect().await;
        client.send(request).await;
        house.until("one waits", |now| now.waiting == 1).await;
        drop(client);
        house.until("nobody waits", |now| now.waiting == 0).await;
        server.send(OK).await;
        drop(first);
        house.ends(RequestTotals { granted: left, sent: left, released: left, cancelled: left, ..NOTHING }).await;
    }
}

/// It may have been granted or not when its client goes: either way it ends once.
#[tokio::test]
async fn a_client_that_leaves_as_its_turn_comes_gives_it_to_the_next() {
    for step in 0..40 {
        let (listener, address) = upstream().await;
        let house = House::open(ONE, address).await;
        let (mut first, mut server) = house.under_way(&listener, WHOLE).await;
        let mut leaving = house.connect().await;
        leaving.send(WHOLE).await;
        house.until("one waits", |now| now.waiting == 1).await;
        server.send(&OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await;
        for _ in 0..step {
            yield_now().await;
        }
        drop(leaving);
        first.until("ok").await;
        house.until("all is over", is_even).await;
        let RequestTotals { granted, cancelled, refused, .. } = house.gate.admission().snapshot().totals;
        assert_eq!((granted + cancelled, refused), (2, 0), "after {step}");
    }
}

impl House {
    /// A gate before an upstream of TLS that never says a word, where one request has come as far as that.
    async fn connecting(config: &str) -> (Self, Wire, Wire) {
        let (listener, address) = upstream().await;
        let house = Self::open_before(&format!("https://{address}"), config).await;
        let mut client = house.connect().await;
        client.send(WHOLE.replace("Host: o", "Host: o\r\nConnection: close")).await;
        (house, client, accept(&listener).await)
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_upstream_is_connected_to_has_spent_nothing() {
    let (house, client, _hole) = House::connecting(ONE).await;
    assert_eq!(house.gate.admission().snapshot().totals.granted, 1);
    drop(client);
    house.ends(GIVEN_BACK).await;
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_costs_nothing() {
    let clock = Clock::stop();
    let (house, mut client, _hole) = House::connecting(&format!("connect_timeout = \"100ms\"\n{ONE}")).await;
    clock.step(Duration::from_millis(100)).await;
    let came = client.rest().await;
    assert!(came.starts_with("HTTP/1.1 502") && came.contains("no connection within 0.1 s"), "{came}");
    house.ends(GIVEN_BACK).await;
}

#[tokio::test]
async fn an_upstream_that_turns_connections_away_costs_nothing() {
    let (_nobody, address) = nobody();
    let house = House::open(ONE, address).await;
    let came = house.ask(&WHOLE.replace("Host: o", "Host: o\r\nConnection: close")).await;
    assert!(came.starts_with("HTTP/1.1 502"), "{came}");
    house.ends(GIVEN_BACK).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_has_spent_its_place() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (client, mut server) = house.under_way(&listener, WHOLE).await;
    drop(client);
    house.ends(SENT).await;
    // Nobody is left to read an answer, and the upstream learns so.
    server.rest().await;
}

#[tokio::test]
async fn a_client_that_leaves_within_the_answer_is_in_flight_no_longer() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (mut client, mut server) = house.under_way(&listener, WHOLE).await;
    server.send(HALF_OK).await;
    client.until("ok").await;
    assert!(!is_even(&house.gate.admission().snapshot()), "it is in flight");
    drop(client);
    house.ends(SENT).await;
}

#[tokio::test]
async fn an_upstream_that_leaves_before_its_answer_ends_the_request_once() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (mut client, server) = house.under_way(&listener, WHOLE).await;
    drop(server);
    assert!(client.until("}}").await.starts_with("HTTP/1.1 502"));
    house.ends(SENT).await;
}

#[tokio::test]
async fn an_upstream_that_leaves_within_its_answer_ends_the_request_once() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (mut client, mut server) = house.under_way(&listener, WHOLE).await;
    server.send(HALF_OK).await;
    client.until("ok").await;
    drop(server);
    client.rest().await;
    house.ends(SENT).await;
}

#[tokio::test]
async fn an_upstream_that_answers_in_the_middle_of_the_body_ends_the_request_once() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (mut client, mut server) = house.under_way(&listener, HALF).await;
    server.send(&OK.replace("200 OK", "400 Bad Request\r\nconnection: close")).await;
    drop(server);
    client.until("ok").await;
    house.ends(SENT).await;
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_ends_the_request_once() {
    let (clock, (listener, address)) = (Clock::stop(), upstream().await);
    let house = House::open(&format!("response_timeout = \"100ms\"\n{ONE}"), address).await;
    let (mut client, _server) = house.under_way(&listener, WHOLE).await;
    // Its time runs from the end of the upload, which nobody sees; and nothing else waits by the clock.
    let came = tokio::select! {
        came = client.until("}}") => came,
        never = clock.runs(Duration::from_millis(100)) => match never {},
    };
    assert!(came.starts_with("HTTP/1.1 504"), "{came}");
    house.ends(SENT).await;
}

#[tokio::test]
async fn a_gate_that_stops_ends_who_waits_and_who_is_under_way_once() {
    let (listener, address) = upstream().await;
    let house = House::open(ONE, address).await;
    let (mut client, mut server) = house.under_way(&listener, WHOLE).await;
    let mut waiting = house.connect().await;
    waiting.send(WHOLE).await;
    house.until("one waits", |now| now.waiting == 1).await;
    house.stop();
    assert!(waiting.rest().await.starts_with("HTTP/1.1 503"));
    server.send(OK).await;
    client.until("ok").await;
    house.ends(RequestTotals { refused: 1, ..SENT }).await;
    house.stopped().await;
}

#[tokio::test]
async fn a_gate_that_stops_while_the_upstream_is_connected_to_ends_the_request_once() {
    let clock = Clock::stop();
    let (house, mut client, _hole) = House::connecting(&format!("connect_timeout = \"200ms\"\n{ONE}")).await;
    house.stop();
    clock::until("it stops", || house.gate.admission().is_draining()).await;
    clock.step(Duration::from_millis(200)).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 502"));
    house.ends(GIVEN_BACK).await;
    house.stopped().await;
}

/// When the search for a stage is taken to hang.
const HANGS: Duration = Duration::from_mins(10);

/// What a request comes to when its world ends after so many turns of the runtime: the client's, or the gate's.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The client closes its connection, and the gate goes on.
    Client,
    /// Every task of the gate is dropped where it stands.
    Gate,
}

/// A runtime that looks at its sockets at every turn, so that the turns stand for the steps of a request.
fn turning() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().event_interval(1).build().expect("a runtime")
}

/// Answers whoever comes, having refused so many, and counts the heads that have come.
async fn answer(listener: TcpListener, heads: Arc<AtomicU64>, refusals: u64) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut read = Vec::new();
        while !read.ends_with(b"0123456789") && stream.read_buf(&mut read).await.is_ok_and(|count| count > 0) {}
        if read.starts_with(b"POST ") {
            heads.fetch_add(1, Relaxed);
        }
        let answer = if heads.load(Relaxed) <= refusals { refusal().replace("0.050", "0.001") } else { OK.to_owned() };
        // One that has been cut reads no answer.
        drop(stream.write_all(answer.as_bytes()).await);
    }
}

/// Cuts after so many turns; gives the state in the end, how many heads the upstream has seen, and whether the request
/// was over by then.
fn cut_after(turns: usize, cut: Cut, refusals: u64) -> (Snapshot, u64, bool) {
    let runtime = turning();
    let heads = Arc::<AtomicU64>::default();
    let (house, over) = runtime.block_on(async {
        let (clock, (listener, address)) = (Clock::stop(), upstream().await);
        tokio::spawn(answer(listener, Arc::clone(&heads), refusals));
        let house = House::open(ONE, address).await;
        let mut client = house.connect().await;
        client.send(WHOLE).await;
        for _ in 0..turns {
            // Who was refused waits by the clock, which moves only then.
            if house.gate.admission().snapshot().waiting > 0 {
                clock.step(Duration::from_millis(100)).await;
            }
            yield_now().await;
        }
        let over = client.0.try_read(&mut [0; 4096]).is_ok_and(|count| count > 0);
        if cut == Cut::Client {
            drop(client);
            while house.gate.connections().closed == 0 {
                yield_now().await;
            }
            house.until("all is over", is_even).await;
        } else {
            // The client is still there when the gate ends.
            tokio::spawn(async move {
                let _client = client;
                pending::<()>().await;
            });
        }
        (house, over)
    });
    drop(runtime);
    (house.gate.admission().snapshot(), heads.load(Relaxed), over)
}

#[test]
fn at_whichever_turn_a_request_is_cut_it_ends_once() {
    // Before it was granted, between that and its sending, and after that.
    let once = [(0, 0, 0), (1, 1, 0), (1, 0, 1)];
    let twice = [once.as_slice(), &[(2, 1, 1), (2, 0, 2)]].concat();
    for (cut, refusals, stages) in
        [(Cut::Client, 0, once.as_slice()), (Cut::Gate, 0, &once), (Cut::Client, 1, &twice), (Cut::Gate, 1, &twice)]
    {
        let (mut outcomes, mut turns, began) = (BTreeSet::new(), 0, Instant::now());
        // It may be sent in the very turn in which the clock lets it go once more.
        let is_met = |outcomes: &BTreeSet<_>| stages.iter().all(|at| *at == (2, 1, 1) || outcomes.contains(at));
        // How many turns a stage takes is for the system to say, so one may be missed; then it begins anew.
        while !is_met(&outcomes) {
            let (now, heads, over) = cut_after(turns, cut, refusals);
            assert!(is_even(&now), "{cut:?} after {turns}: {now:?}");
            assert!(
                now.totals.granted <= 1 + refusals && heads <= now.totals.sent,
                "{cut:?} after {turns}: {heads} {now:?}"
            );
            let outcome = (now.totals.granted, now.totals.refunded, now.totals.sent);
            assert!(stages.contains(&outcome), "{cut:?} after {turns}: {outcome:?}");
            outcomes.insert(outcome);
            turns = if over { 0 } else { turns + 1 + turns / 300 };
            assert!(began.elapsed() < HANGS, "some stages are never met: {cut:?}, {refusals} refused, {outcomes:?}");
        }
    }
}
