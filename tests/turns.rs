//! The store's script against its model, call by call: calls are lost, repeated and old, clocks step, and the store forgets.

use fastrand::Rng;
use tidegate::replica::{EntryKind, LogEntry, MeterCall, PARTS, StoreAnswer, StoreModel, TURN, TurnCall};

use super::redis_server::RedisServer;

/// The script with a clock that the test tells it.
fn told_the_time() -> String {
    let script =
        TURN.replace("redis.call('TIME')", "cjson.decode(ARGV[#ARGV])").replace("2, #ARGV do", "2, #ARGV - 1 do");
    assert_eq!(script.matches("#ARGV").count(), 2, "the clock and the end of the limits");
    script
}

fn run(open: &mut redis::Connection, hash: &str, raw: i64, call: &TurnCall) -> String {
    let mut keys: Vec<String> = ["meta", "gates", "answers", "pending"].map(str::to_owned).into();
    keys.extend(call.meters.iter().flat_map(|meter| ["m", "l"].map(|kind| format!("{kind}:{}", meter.id))));
    let time = format!("[\"{}\", \"{}\"]", raw / 1_000_000, raw % 1_000_000);
    let mut command = redis::cmd("EVALSHA");
    command.arg(hash).arg(keys.len()).arg(&keys).arg(call.texts()).arg(time);
    command.query(open).expect("an answer")
}

fn entry(random: &mut Rng) -> LogEntry {
    let kinds = [EntryKind::Spent, EntryKind::Spent, EntryKind::Extra, EntryKind::Held, EntryKind::Refund];
    LogEntry { kind: kinds[random.usize(..5)], age: random.i64(0..3_000_000), cost: random.u64(1..4) }
}

fn meter(random: &mut Rng, id: usize) -> MeterCall {
    let entries = (0..random.usize(..4)).map(|_| entry(random)).collect();
    let span = [2_000_000, 60_000_000, 400_000_000][random.usize(..3)];
    let (limit, want, least) = (random.u64(1..60), random.u64(..30), random.u64(..5));
    MeterCall { id: id.to_string(), limit, span, want, least, claim: random.u64(1..5), back: random.u64(..4), entries }
}

/// One gate's next call, as it would be or out of any order.
fn call(random: &mut Rng, gate: usize, last: &mut (u64, u64, i64)) -> TurnCall {
    let (epoch, seq, prev) = *last;
    let is_odd = random.u32(..10) == 0;
    let seq = if is_odd { random.u64(..seq + 3) } else { seq + 1 };
    let since_answer = random.i64(0..2_000_000);
    TurnCall {
        gate: format!("gate{gate}"),
        nonce: random.u64(1..1 << 50),
        epoch: if is_odd { random.u64(..3) } else { epoch },
        seq,
        prev: if random.u32(..10) == 0 { 0 } else { prev },
        since_answer,
        anchor: prev - random.i64(0..60_000_000),
        since_anchor: since_answer + random.i64(0..60_000_000),
        ttl: 5_000_000,
        share: random.u64(..=PARTS / 2),
        outage: 300_000_000,
        longest: 60_000_000,
        leaves: random.u32(..30) == 0,
        waits: [0, 0, 5_000_000][random.usize(..3)],
        confirmed: [0, prev][random.usize(..2)],
        attempt: random.usize(..3),
        peers: (0..random.usize(..3)).map(|peer| format!("gate{peer}:{}", random.u64(..PARTS / 3))).collect(),
        meters: (0..random.usize(..3)).map(|id| meter(random, id)).collect(),
    }
}

/// `make turns` does it with 100,000 sequences.
#[test]
fn script_and_model_answer_alike() {
    let sequences: u64 = std::env::var("TURNS").map_or(400, |count| count.parse().expect("a number"));
    let server = RedisServer::start();
    let mut open = redis::Client::open(server.url()).and_then(|client| client.get_connection()).expect("a connection");
    let hash: String = redis::cmd("SCRIPT").arg("LOAD").arg(told_the_time()).query(&mut open).expect("a script");
    let mut leased = 0;
    for seed in 0..sequences {
        let (mut random, mut model) = (Rng::with_seed(seed), StoreModel::default());
        let _: () = redis::cmd("FLUSHALL").query(&mut open).expect("it is emptied");
        let mut raw = 1_700_000_000_000_000;
        let mut gates = [(0, 0, 0); 3];
        let mut last: Option<TurnCall> = None;
        for nth in 0..30 {
            raw += random.i64(0..3_000_000);
            if random.u32(..20) == 0 {
                raw += random.i64(-3_600_000_000..3_600_000_000);
            }
            let gate = random.usize(..3);
            let repeated = last.take().filter(|_| random.u32(..8) == 0);
            let call = repeated.unwrap_or_else(|| call(&mut random, gate, &mut gates[gate]));
            let (said, expected) = (run(&mut open, &hash, raw, &call), model.turn(raw, &call));
            assert_eq!(said, expected, "seed {seed}, call {nth}: {call:#?}");
            let of: usize = call.gate.trim_start_matches("gate").parse().expect("a number");
            match said.parse().expect("an answer") {
                StoreAnswer::Turn(answer) => {
                    leased += answer.leases.iter().map(|lease| lease.granted).sum::<u64>();
                    // An answer that is lost leaves the gate as it was.
                    if random.u32(..10) > 0 {
                        gates[of] = (answer.epoch, call.seq, answer.now);
                    }
                }
                StoreAnswer::Declare { epoch, .. } => gates[of].0 = epoch,
                StoreAnswer::Later { .. } => {}
                StoreAnswer::Stale => gates[of].1 += 1,
            }
            last = Some(call);
        }
    }
    assert!(leased > sequences * 10, "hardly anything was leased: {leased}");
}
