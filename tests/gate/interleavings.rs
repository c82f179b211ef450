//! Two credentials ask for the same things at once. Some clients leave, some read late, and some of the answers are errors
//! or break off: each client ends with what it would have got alone.
//!
//! The order of events is drawn from a seed, the clock is stopped, and each event has had its effect before the next one. So
//! a small model of the sharing knows for each request whether it joins a call, has an earlier answer, or costs a call.

mod upstream;

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;
use tidegate::proxy::Ended;
use tokio::sync::{mpsc, oneshot};

use super::house::{House, Wire, upstream};
use crate::clock::{Clock, in_time, until};

const CLIENTS: usize = 25;
const REQUESTS: usize = 10_000;
const SEED: u64 = 16_180;

/// Without pools, so that no call is spaced from the one before.
const ROUTES: &str = r#"
[[routes]]
match = "GET /v1/runs/{run}"
coalesce = true
reuse = "2ms"

[[routes]]
match = "DELETE /v1/runs/{run}"
"#;
const REUSE_MS: u64 = 2;

/// Whose credential, and which run.
type Asked = (u8, u8);

/// A call as the upstream sees it.
struct Call {
    asked: Asked,
    is_get: bool,
    /// The client whose request it is, unless that has left.
    maker: Option<usize>,
    /// The clients that joined it.
    joined: Vec<usize>,
    /// Whether requests that come now join it.
    is_open: bool,
    /// Whether its connection had served another before.
    is_reused: bool,
    answer: oneshot::Sender<Answer>,
}

/// How the upstream answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Whole { status: u16, length: usize },
    HalfOfIt,
    Closed,
}

/// What a client has, once its request has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Idle,
    /// Waits for its answer; a late one does not read it when it comes.
    Waits {
        asked: Asked,
        is_late: bool,
    },
    /// Has not read its answer, which is this long.
    Unread {
        asked: Asked,
        answer: Answer,
    },
}

/// What the next GET for a thing is to find.
#[derive(Clone, Copy)]
enum Found {
    Call,
    AnswerOf { ms: u64 },
}

struct Run {
    house: House,
    clock: Clock,
    rng: Rng,
    now_ms: u64,
    arrivals: mpsc::UnboundedReceiver<(usize, Call)>,
    calls: Vec<Call>,
    clients: Vec<(Client, Option<Wire>)>,
    found: HashMap<Asked, Found>,
    asked: u64,
    joined: u64,
    reused: u64,
    left: u64,
    broken_off: u64,
    repeated: u64,
}

#[tokio::test]
async fn interleavings_give_each_client_its_own() {
    let (listener, address) = upstream().await;
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let house = House::open(ROUTES, address).await;
    tokio::spawn(upstream::serve(listener, arrived));
    let clients = (0..CLIENTS).map(|_| (Client::Idle, None)).collect();
    let mut run = Run {
        house,
        clock: Clock::stop(),
        rng: Rng::with_seed(SEED),
        now_ms: 0,
        arrivals,
        calls: Vec::new(),
        clients,
        found: HashMap::new(),
        asked: 0,
        joined: 0,
        reused: 0,
        left: 0,
        broken_off: 0,
        repeated: 0,
    };
    for _ in 0..REQUESTS {
        let client = run.an_idle_client().await;
        run.ask(client).await;
        run.something_else().await;
    }
    while !run.calls.is_empty() {
        run.answer_a_call().await;
    }
    let coalesced = run.house.gate.coalesced().swap_remove(0);
    assert_eq!((coalesced.joined, coalesced.reused), (run.joined, run.reused));
    assert!([run.joined, run.reused].iter().all(|shared| *shared > 1_000), "{coalesced:?}");
    assert!([run.left, run.broken_off].iter().all(|count| *count > 100), "{} left, {} broke", run.left, run.broken_off);
    assert!(run.repeated > 20, "{} were sent again", run.repeated);
}

impl Run {
    /// Lets things happen until there is one.
    async fn an_idle_client(&mut self) -> usize {
        loop {
            let idle: Vec<usize> = (0..CLIENTS).filter(|client| self.clients[*client].0 == Client::Idle).collect();
            if let Some(client) = self.rng.choice(idle) {
                return client;
            }
            self.answer_a_call().await;
            self.read_what_is_unread(1).await;
        }
    }

    /// What may happen between two requests.
    async fn something_else(&mut self) {
        match self.rng.u8(0..20) {
            0..8 => self.answer_a_call().await,
            8 => self.leave().await,
            9 | 10 => self.read_what_is_unread(3).await,
            11 => {
                self.now_ms += 1;
                self.clock.step(Duration::from_millis(1)).await;
            }
            _ => {}
        }
    }

    /// A client sends a request, and the gate has taken it up.
    async fn ask(&mut self, client: usize) {
        let asked @ (who, run) = (self.rng.u8(0..2), self.rng.u8(0..2));
        let is_get = self.rng.u8(0..20) > 0;
        let method = if is_get { "GET" } else { "DELETE" };
        let mut wire = match self.clients[client].1.take() {
            Some(wire) => wire,
            None => self.house.connect().await,
        };
        let headers = format!("authorization: key-{who}\r\nx-client-request-id: {client}");
        wire.send(format!("{method} /v1/runs/{run} HTTP/1.1\r\nHost: o\r\n{headers}\r\n\r\n")).await;
        self.clients[client] = (Client::Waits { asked, is_late: self.rng.u8(0..20) == 0 }, Some(wire));
        if is_get {
            self.taken_up(client, asked).await;
        } else {
            self.arrival_of(client).await;
            self.wrote(run);
        }
    }

    /// A GET joins the call that is under way, has the answer that has just come, or is a call of its own.
    async fn taken_up(&mut self, client: usize, asked: Asked) {
        let before = self.house.gate.coalesced().swap_remove(0);
        self.asked += 1;
        until("it is asked for", || self.house.gate.coalesced()[0].asked == self.asked).await;
        let after = self.house.gate.coalesced().swap_remove(0);
        let costs = (after.calls - before.calls, after.reused - before.reused);
        match self.found.get(&asked) {
            Some(Found::Call) => {
                assert_eq!(costs, (0, 0), "it joins the call for {asked:?}");
                let call = self.calls.iter_mut().find(|call| call.is_open && call.asked == asked);
                call.expect("it is under way").joined.push(client);
            }
            Some(Found::AnswerOf { ms }) if self.now_ms < ms + REUSE_MS => {
                assert_eq!(costs, (0, 1), "it has the last answer for {asked:?}");
                self.reused += 1;
                self.answered(client, Answer::Whole { status: 200, length: 0 }).await;
            }
            _ => {
                assert_eq!(costs, (1, 0), "it is a call for {asked:?}");
                self.arrival_of(client).await;
                self.calls.last_mut().expect("it has just come").is_open = true;
                self.found.insert(asked, Found::Call);
            }
        }
    }

    /// The call that this client makes is at the upstream.
    async fn arrival_of(&mut self, client: usize) {
        let (from, call) = in_time("a call", self.arrivals.recv()).await.expect("the upstream serves");
        assert_eq!(from, client, "whose call it is");
        self.calls.push(call);
    }

    /// Nothing from before a write serves those who ask after it.
    fn wrote(&mut self, run: u8) {
        self.found.retain(|asked, _| asked.1 != run);
        self.calls.iter_mut().filter(|call| call.asked.1 == run).for_each(|call| call.is_open = false);
    }

    /// The upstream answers one of the calls, and those whom it serves have what is theirs.
    async fn answer_a_call(&mut self) {
        if self.calls.is_empty() {
            return;
        }
        let call = self.calls.swap_remove(self.rng.usize(0..self.calls.len()));
        let answer = match self.rng.u8(0..20) {
            0 => Answer::Closed,
            1 | 2 => Answer::HalfOfIt,
            3 => Answer::Whole { status: 500, length: 10 },
            4 => Answer::Whole { status: 200, length: 300_000 },
            _ => Answer::Whole { status: 200, length: 10 },
        };
        if answer == Answer::Closed && call.is_get && call.is_reused {
            return self.goes_again(call).await;
        }
        call.answer.send(answer).expect("it is not broken off");
        // The answer is known to be through the gate once one of those whom it serves has read it.
        if let Some(reader) = call.maker.or(call.joined.first().copied()) {
            self.makes_haste(reader);
        }
        if let Some(maker) = call.maker {
            self.answered(maker, answer).await;
        }
        if answer == Answer::HalfOfIt {
            self.make_calls_of_their_own(call.joined).await;
        } else {
            for client in call.joined {
                self.answered(client, answer).await;
                self.joined += u64::from(answer != Answer::Closed);
            }
        }
        if !call.is_get {
            self.wrote(call.asked.1);
        }
        if call.is_open {
            match answer {
                Answer::Whole { status: 200, .. } => {
                    self.found.insert(call.asked, Found::AnswerOf { ms: self.now_ms });
                }
                _ => drop(self.found.remove(&call.asked)),
            }
        }
    }

    /// A connection that had served others closes under a GET: the gate sends that once more, on a new connection.
    async fn goes_again(&mut self, mut call: Call) {
        call.answer.send(Answer::Closed).expect("it is not broken off");
        let (_, again) = in_time("the call once more", self.arrivals.recv()).await.expect("the upstream serves");
        assert!(again.is_get && !again.is_reused && again.asked == call.asked, "it is the same, on a new connection");
        call.answer = again.answer;
        call.is_reused = false;
        self.calls.push(call);
        self.repeated += 1;
    }

    /// What has broken off serves only the client whose call it was.
    async fn make_calls_of_their_own(&mut self, mut clients: Vec<usize>) {
        let mut makers = Vec::new();
        for _ in &clients {
            let (maker, call) = in_time("a call", self.arrivals.recv()).await.expect("the upstream serves");
            makers.push(maker);
            self.calls.push(call);
        }
        makers.sort_unstable();
        clients.sort_unstable();
        assert_eq!(makers, clients);
    }

    /// A client has its answer, and reads it unless it is late.
    async fn answered(&mut self, client: usize, answer: Answer) {
        let Client::Waits { asked, is_late } = self.clients[client].0 else { panic!("it has its answer already") };
        self.clients[client].0 = Client::Unread { asked, answer };
        if !is_late {
            self.read(client).await;
        }
    }

    fn makes_haste(&mut self, client: usize) {
        if let Client::Waits { is_late, .. } = &mut self.clients[client].0 {
            *is_late = false;
        }
    }

    /// A client reads its answer, which is its own.
    async fn read(&mut self, client: usize) {
        let (Client::Unread { asked: (who, run), answer }, Some(mut wire)) =
            std::mem::replace(&mut self.clients[client], (Client::Idle, None))
        else {
            panic!("there is nothing to read")
        };
        let came = wire.answer().await;
        let (status, body) = (came.status(), &*came.body);
        let own = format!("key-{who} /v1/runs/{run} {status} ");
        match answer {
            Answer::Closed => assert!(status == "502" && body.contains("tidegate_upstream_unreachable"), "{body:.200}"),
            Answer::HalfOfIt => {
                assert!(!came.is_whole && own.starts_with(&body[..body.len().min(own.len())]), "{own}: {body:.200}");
                self.broken_off += 1;
                return;
            }
            Answer::Whole { status: code, .. } => {
                assert!(came.is_whole && status == code.to_string(), "{status} instead of {code}");
                assert!(body.starts_with(&own) && body.ends_with('.'), "{own}: {body:.200}");
            }
        }
        self.clients[client].1 = Some(wire);
    }

    async fn read_what_is_unread(&mut self, most: usize) {
        let is_unread = |client: &usize| matches!(self.clients[*client].0, Client::Unread { .. });
        for client in (0..CLIENTS).filter(is_unread).take(most).collect::<Vec<_>>() {
            self.read(client).await;
        }
    }

    /// A client that waits leaves, and the gate has seen it go. A call that nobody else wants is broken off.
    async fn leave(&mut self) {
        let waits = |client: &usize| matches!(self.clients[*client].0, Client::Waits { .. });
        let waiting: Vec<usize> = (0..CLIENTS).filter(waits).collect();
        let Some(client) = self.rng.choice(waiting) else { return };
        let left = || self.house.gate.by_route().iter().map(|route| route.ended(Ended::Left)).sum::<u64>();
        let before = left();
        self.clients[client] = (Client::Idle, None);
        until("the gate sees it go", || left() == before + 1).await;
        self.left += 1;
        let wants = |call: &Call| call.maker == Some(client) || call.joined.contains(&client);
        let at = self.calls.iter().position(wants).expect("it waits for a call");
        let call = &mut self.calls[at];
        call.maker = call.maker.filter(|maker| *maker != client);
        call.joined.retain(|other| *other != client);
        if call.maker.is_none() && call.joined.is_empty() {
            let call = self.calls.swap_remove(at);
            if !call.is_get {
                self.wrote(call.asked.1);
            } else if call.is_open {
                self.found.remove(&call.asked);
            }
        }
    }
}
