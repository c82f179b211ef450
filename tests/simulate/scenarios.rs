//! Traffic whose outcome can be worked out by hand, or by a closed form.

use std::time::Duration;

use proptest::prelude::*;

use crate::alone::alone;
use tidegate::coalesce::LONGEST;
use tidegate::config::{Config, Source};
use tidegate_lab::simulate::{Outcomes, SimulationReport, Traffic, Waited, read, simulate};

/// What the tests' scenarios ask for.
const ROUTE: &str = "[[routes]]\nmatch = \"POST /v1/x\"\npools = [\"x\"]";

pub(super) fn config(text: &str) -> Config {
    Config::parse(&Source::Text("test".to_owned()), &alone(text)).expect("a valid configuration")
}

/// One pool, for which everybody waits who must.
fn pool(limits: &str) -> Config {
    let queue = "[queue]\nmax_waiting = 100000\nmax_wait = \"10h\"\n";
    config(&format!("{queue}[pools.x]\nmargin = \"0ms\"\n{limits}\n{ROUTE}"))
}

fn scenario(text: &str) -> Traffic {
    read("test", text).expect("a scenario")
}

/// A stream of requests to the pool, and for how long.
fn stream(duration: &str, keys: &str) -> Traffic {
    scenario(&format!("duration = \"{duration}\"\n[[streams]]\nrequest = \"POST /v1/x\"\n{keys}"))
}

pub(super) fn simulated(config: &Config, traffic: &Traffic) -> SimulationReport {
    simulate(&config.settings(), traffic, tokio::time::Instant::now().into_std(), |_| ())
}

fn about(found: f64, expected: f64, tolerance: f64) -> bool {
    (found / expected - 1.0).abs() <= tolerance
}

#[test]
fn of_six_hundred_at_once_the_second_half_waits_one_minute() {
    let report = simulated(&pool("requests = [\"300/min\"]"), &stream("2m", "burst = 600\nlatency = \"0s\""));
    let waits = report.whole.wait_ms;
    assert_eq!((report.whole.served, report.refused()), (600, 0));
    assert_eq!(waits, Waited { mean: 30_000.0, p50: 0.0, p95: 60_000.0, p99: 60_000.0, max: 60_000.0 });
    assert!(about(report.completed_s, 60.0, 1e-9) && about(report.throughput_per_s, 10.0, 1e-9));
    let pool = &report.pools[0];
    assert_eq!((pool.longest_line, pool.limits[0].peak), (300, 1.0));
    let lines: Vec<u32> = pool.points.iter().map(|point| point.waiting).collect();
    assert!(lines.iter().all(|&line| line == 300 || line == 0) && lines.last() == Some(&0), "{lines:?}");
    // Full from the burst until the second half has left the window, which is when the traffic ends.
    let (full, mean) = (pool.full_s, pool.limits[0].mean);
    assert!(about(full, 120.0, 0.01) && about(mean, 1.0, 0.01), "{full} s, {mean}");
}

#[test]
fn of_those_that_come_by_chance_so_many_come_even_where_they_are_less_than_a_nanosecond_apart() {
    let report =
        simulated(&pool("requests = [\"1/h\"]\nwhen_full = \"refuse\""), &stream("5us", "poisson = \"4000000000/s\""));
    assert!((19_400..20_600).contains(&report.whole.requests), "{}", report.whole.requests);
}

#[test]
fn workers_that_only_pause_come_to_an_end() {
    let keys = "workers = 2\nlatency = \"0s\"\npause = \"1ms\"";
    let report = simulated(&pool("requests = [\"1000000/min\"]"), &stream("1s", keys));
    assert_eq!(report.whole.served, 2_000);
}

#[test]
fn an_even_pace_lets_one_go_after_the_other() {
    let smooth = pool("requests = [\"60/min\"]\nshape = \"smooth\"\nburst = 1");
    let waits = simulated(&smooth, &stream("1m", "burst = 10")).whole.wait_ms;
    assert_eq!(waits, Waited { mean: 4_500.0, p50: 4_000.0, p95: 9_000.0, p99: 9_000.0, max: 9_000.0 });
}

/// Pollaczek and Khinchine's mean for a server that takes the same time for each (M/D/1): `ρ / 2μ(1 − ρ)`.
#[test]
fn who_comes_by_chance_to_an_even_pace_waits_as_queueing_theory_says() {
    let smooth = pool("requests = [\"10/s\"]\nshape = \"smooth\"\nburst = 1");
    for (rate, load) in [("5/s", 0.5), ("8/s", 0.8)] {
        let report = simulated(&smooth, &stream("2h", &format!("poisson = \"{rate}\"\nlatency = \"1ms\"")));
        let expected = 1_000.0 * load / (2.0 * 10.0 * (1.0 - load));
        assert!(about(report.whole.wait_ms.mean, expected, 0.05), "{rate}: {:?}, not {expected}", report.whole.wait_ms);
    }
}

#[test]
fn workers_wait_for_one_another_where_fewer_may_be_in_flight() {
    let report = simulated(&pool("in_flight = 2"), &stream("100s", "workers = 4\nlatency = \"1s\""));
    // Two go each second; the first two have not waited.
    let waits = report.whole.wait_ms;
    assert_eq!((report.whole.served, report.refused()), (202, 0), "two wait when the traffic ends, and go");
    assert_eq!((waits.p50, waits.max), (1_000.0, 1_000.0));
    assert!(about(waits.mean, 200.0 / 202.0 * 1_000.0, 1e-9), "{waits:?}");
    assert!(about(report.pools[0].limits[0].mean, 1.0, 0.01), "{:?}", report.pools[0].limits);
}

#[test]
fn a_job_is_polled_until_it_is_done() {
    let keys =
        "workers = 1\nlatency = \"0s\"\n[streams.poll]\nrequest = \"GET /v1/y\"\nwork = \"2500ms\"\nlatency = \"0s\"";
    let report = simulated(&pool("requests = [\"300/min\"]"), &stream("30s", keys));
    // Begun at 0, asked at 1, 2 and 3 s and then done: the next begins.
    assert_eq!((report.streams[0].begun, report.streams[0].done), (10, 10));
    assert_eq!(report.routes.iter().map(|route| route.outcomes.requests).collect::<Vec<_>>(), [30, 10]);
}

#[test]
fn arrivals_come_as_they_are_written() {
    let counts = |keys: &str| simulated(&pool("requests = [\"100000/s\"]"), &stream("100s", keys)).whole.requests;
    assert_eq!(counts("rate = \"5/s\""), 500);
    assert_eq!(counts("rate = \"5/s\"\nfrom = \"10s\"\nuntil = \"30s\""), 100);
    assert_eq!(counts("ramp = [\"1/s\", \"9/s\"]"), 500);
    assert_eq!(counts("ramp = [\"9/s\", \"1/s\"]"), 500);
    assert!((400..600).contains(&counts("poisson = \"5/s\"")));
}

#[test]
fn identical_polls_share_one_call_and_then_its_answer() {
    let text = "[pools.x]\nrequests = [\"30000/min\"]\n[[routes]]\nmatch = \"GET /v1/runs/{run}\"\npools = [\"x\"]\n";
    let poll = |keys: &str| format!("duration = \"10s\"\n[[streams]]\nrequest = \"GET /v1/runs/r\"\n{keys}\n");
    let ten = scenario(&poll("workers = 10\npause = \"1s\"\nlatency = \"100ms\""));
    let alone = simulated(&config(text), &ten);
    assert_eq!((alone.whole.served, alone.whole.shared), (100, 0));
    let shared = simulated(&config(&format!("{text}coalesce = true")), &ten);
    assert_eq!((shared.whole.served, shared.whole.shared), (10, 90));
    // One asks every 200 ms: while the call is under way, and 300 ms after, it serves.
    let one = scenario(&poll("rate = \"5/s\"\nlatency = \"100ms\""));
    let reused = simulated(&config(&format!("{text}coalesce = true\nreuse = \"350ms\"")), &one);
    assert_eq!((reused.whole.served, reused.whole.shared), (17, 33), "one in three");
    let clients = poll("client = \"a\"\nrate = \"5/s\"")
        + "[[streams]]\nrequest = \"GET /v1/runs/r\"\nclient = \"b\"\nrate = \"5/s\"";
    let two = simulated(&config(&format!("{text}coalesce = true")), &scenario(&clients));
    let [a, b] = &two.clients[..] else { panic!("{:?}", two.clients) };
    assert_eq!((a.outcomes.served, b.outcomes.served), (25, 25), "never across clients");
    let fresh = poll("workers = 10\npause = \"1s\"\nheaders = { Cache-Control = \"no-cache\" }");
    assert_eq!(simulated(&config(&format!("{text}coalesce = true")), &scenario(&fresh)).whole.shared, 0);
}

#[test]
fn polls_keep_to_their_share_of_a_pool_and_helpers_come_when_they_are_told() {
    let text = "[pools.x]\nrequests = [\"100/10s\"]\nmargin = \"0s\"\npoll_share = 0.5\n\
                [[routes]]\nmatch = \"GET /v1/runs/{run}\"\npools = [\"x\"]\ncoalesce = true";
    let jobs = |more: &str| {
        let poll = "poll = { request = \"GET /v1/runs/{run}\", every = \"200ms\", work = \"5m\", latency = \"10ms\"";
        let stream = "duration = \"1m\"\n[[streams]]\nrequest = \"POST /v1/runs\"\nworkers = 40";
        let report = simulated(&config(text), &scenario(&format!("{stream}\n{poll}{more} }}")));
        let polls = report.routes.iter().find(|route| route.name.starts_with("GET")).expect("polls");
        (
            f64::from(u32::try_from(polls.outcomes.served).expect("not so many")) / report.completed_s,
            polls.outcomes.wait_ms.mean,
        )
    };
    // Forty runs at five calls a second: each has its turn every eight seconds, and waits for it or comes then.
    let (rate, waited) = jobs("");
    assert!(about(rate, 5.0, 0.04) && about(waited, 7_800.0, 0.04), "{rate} a second after {waited} ms");
    let (rate, waited) = jobs(", helper = true");
    assert!(about(rate, 5.0, 0.04) && waited < 200.0, "{rate} a second after {waited} ms");
}

#[test]
fn what_is_asked_for_after_a_write_is_asked_anew() {
    let text = "[pools.x]\nrequests = [\"30000/min\"]\n[[routes]]\nmatch = \"* /v1/runs/{*rest}\"\npools = [\"x\"]\n\
                [[routes]]\nmatch = \"GET /v1/runs/{run}\"\npools = [\"x\"]\ncoalesce = true\nreuse = \"1m\"";
    let polls =
        "rate = \"10/s\"\nlatency = \"0s\"\n[[streams]]\nburst = 1\nlatency = \"1s\"\nfrom = \"5050ms\"\nrequest = ";
    let calls = |write: &str| {
        let head = "duration = \"10s\"\n[[streams]]\nrequest = \"GET /v1/runs/r\"\n";
        let report = simulated(&config(text), &scenario(&format!("{head}{polls}\"{write}\"")));
        (report.whole.served, report.whole.shared)
    };
    assert_eq!(calls("POST /v1/runs/other/cancel"), (2, 99));
    // Once more after the write began, and once more after it was answered.
    assert_eq!(calls("POST /v1/runs/r/cancel"), (4, 97));
}

#[test]
fn clients_have_their_shares_and_what_is_high_goes_first() {
    let text = "[clients]\nby = [\"x-tidegate-client\"]\nweights = { web = 3 }\n[queue]\nmax_waiting = 10000\n[pools.x]\nrequests = [\"4/s\"]\nmargin = \"0s\"\n";
    let fair = config(&format!("{text}{ROUTE}"));
    let two = |more: &str| {
        let other = "client = \"job\"\nburst = 40\n[[streams]]\nrequest = \"POST /v1/x\"\nclient = \"web\"\nburst = 40";
        let report = simulated(&fair, &stream("1m", &format!("{other}\n{more}")));
        let [job, web] = &report.clients[..] else { panic!("{:?}", report.clients) };
        (job.outcomes.wait_ms.max, web.outcomes.wait_ms.max)
    };
    // The web has three of four places as long as both wait.
    let (job, web) = two("");
    assert!(about(job, 19_000.0, 1e-9) && about(web, 12_000.0, 0.1), "{job}, {web}");
    let (job, web) = two("priority = \"low\"");
    assert!(about(job, 10_000.0, 0.1) && about(web, 19_000.0, 1e-9), "{job}, {web}");
}

#[test]
fn tokens_are_taken_as_they_are_written_or_estimated() {
    let tokens = pool("requests = [\"1000/s\"]\ntokens = [\"1000/min\"]");
    let peak = |keys: &str| {
        let report = simulated(&tokens, &stream("10s", &format!("burst = 1\n{keys}")));
        report.pool("x, tokens").map(|pool| pool.limits[0].peak).expect("it counts tokens")
    };
    assert!(about(peak("tokens = 250"), 0.25, 1e-9));
    assert!(about(peak("body = '{\"max_tokens\": 500}'"), 0.5, 0.05));
}

#[test]
fn no_more_are_under_way_than_may_be() {
    let few = config(&format!("[queue]\nmax_in_flight = 3\n[pools.x]\nrequests = [\"100/s\"]\n{ROUTE}"));
    let report = simulated(&few, &stream("10s", "burst = 10\nlatency = \"1s\""));
    let refused = report.whole.refused.get("tidegate_queue_full ([queue] max_in_flight)");
    assert_eq!((report.whole.served, refused), (3, Some(&7)));
}

#[test]
fn who_would_wait_too_long_is_refused_and_comes_back_if_it_does_that() {
    let impatient = "burst = 30\npatience = \"5s\"\nlatency = \"0s\"\n";
    let limited = pool("requests = [\"10/10s\"]");
    let report = simulated(&limited, &stream("1m", impatient));
    assert_eq!((report.whole.served, report.refused()), (10, 20));
    assert_eq!(report.whole.refused.keys().collect::<Vec<_>>(), ["tidegate_wait_too_long (x)"]);
    let report = simulated(&limited, &stream("1m", &format!("{impatient}retries = 3")));
    assert_eq!(report.whole.served, 30, "{:?}", report.whole);
    assert_eq!(report.whole.requests, 30 + report.refused());
}

#[test]
fn a_client_beyond_its_quota_is_refused_as_the_gate_would() {
    let config = config(&format!("[clients]\nquota = \"10/10s\"\n[pools.x]\nrequests = [\"100/s\"]\n{ROUTE}"));
    let two = "rate = \"2/s\"\nclient = \"a\"\n[[streams]]\nrequest = \"POST /v1/x\"\nrate = \"1/s\"\nclient = \"b\"";
    let report = simulated(&config, &stream("60s", two));
    let [a, b] = &report.clients[..] else { panic!("{:?}", report.clients) };
    // One a second and ten at first, so that of two a second every other is refused from the tenth second on.
    assert_eq!(a.outcomes.refused.get_index(0), Some((&"tidegate_client_quota ([clients] quota)".to_owned(), &51)));
    assert_eq!((a.outcomes.served, b.outcomes.served, b.outcomes.refused.len()), (69, 60, 0));
}

#[test]
fn a_limit_of_the_upstream_is_learned_and_nobody_fails() {
    let upstream =
        "[upstream]\nwindow = \"sliding\"\n[[upstream.limits]]\nmatch = [\"POST /v1/x\"]\nlimit = \"180/min\"";
    let traffic = stream("10m", &format!("workers = 50\n{upstream}"));
    let report = simulated(&pool("requests = [\"300/min\"]"), &traffic);
    let SimulationReport { whole, pools, .. } = &report;
    assert!(whole.upstream_refused > 0 && whole.failed == 0, "{whole:?}");
    let learned = pools[0].learned.as_deref().and_then(|limit| limit.split('/').next()?.parse::<u32>().ok());
    assert!(learned.is_some_and(|limit| (170..=190).contains(&limit)), "{:?}", pools[0].learned);
    assert!((1_700..=2_000).contains(&whole.served), "{whole:?}");
}

#[test]
fn the_same_seed_gives_the_same_and_the_same_traffic_comes_to_another_configuration() {
    let traffic = stream("2m", "poisson = \"6/s\"\nlatency = { p50 = \"200ms\", p95 = \"1s\" }");
    let [one, again] = [(); 2].map(|()| simulated(&pool("requests = [\"300/min\"]"), &traffic));
    assert_eq!(serde_json::json!(one), serde_json::json!(again));
    let other = simulated(&pool("requests = [\"100/min\"]"), &traffic);
    assert_eq!(other.whole.requests, one.whole.requests);
    let other_seed = Traffic { seed: 2, ..traffic };
    assert_ne!(simulated(&pool("requests = [\"300/min\"]"), &other_seed).whole.requests, one.whole.requests);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever comes is answered or refused, once, and each is counted once by route and by client.
    #[test]
    fn nobody_is_lost(
        limit in 1..50_u32,
        in_flight in 1..20_u32,
        rate in 1..40_u32,
        workers in 1..20_u32,
        retries in 0..3_u32,
        upstream in 1..60_u32,
        seed in 0..1_000_u64,
    ) {
        let config = config(&format!(
            "[queue]\nmax_waiting = 40\nmax_wait = \"20s\"\n[pools.x]\nrequests = [\"{limit}/10s\"]\nin_flight = {in_flight}\n{ROUTE}\n\
             [[routes]]\nmatch = \"GET /v1/y/{{run}}\"\npools = [\"x\"]\ncoalesce = true\nreuse = \"500ms\""
        ));
        let traffic = scenario(&format!(
            "duration = \"40s\"\nseed = {seed}\n\
             [[streams]]\nname = \"a\"\nrequest = \"POST /v1/x\"\npoisson = \"{rate}/s\"\nretries = {retries}\nclient = \"a\"\n\
             [[streams]]\nname = \"b\"\nrequest = \"POST /v1/x\"\nworkers = {workers}\n\
             [streams.poll]\nrequest = \"GET /v1/y/{{run:3}}\"\nwork = {{ mean = \"3s\" }}\n\
             [upstream]\nwindow = \"fixed\"\n[[upstream.limits]]\nmatch = [\"* /v1/x\"]\nlimit = \"{upstream}/10s\""
        ));
        let report = simulated(&config, &traffic);
        let over = |one: &Outcomes| one.served + one.shared + one.failed + one.refused.values().sum::<u64>();
        prop_assert_eq!(report.whole.requests, over(&report.whole));
        for group in [&report.routes, &report.clients] {
            prop_assert!(group.iter().all(|named| named.outcomes.requests == over(&named.outcomes)));
            prop_assert_eq!(group.iter().map(|named| named.outcomes.requests).sum::<u64>(), report.whole.requests);
        }
        // What is polled is kept apart before it comes to its pool.
        let most = (Duration::from_secs(20) + LONGEST).as_secs_f64() * 1_000.0;
        prop_assert!(report.whole.wait_ms.max <= most, "{:?}", report.whole.wait_ms);
        prop_assert!(report.pools[0].limits.iter().all(|used| used.peak <= 1.0), "{:?}", report.pools[0].limits);
    }
}
