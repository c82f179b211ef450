use std::time::Duration;

use crate::simulate::spread::Spread;
use crate::simulate::traffic::{Arrivals, Traffic};
use crate::simulate::{TrafficError, read};

fn traffic(text: &str) -> Traffic {
    read("test.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

fn wrong(text: &str) -> String {
    match read("test.toml", text) {
        Err(TrafficError::Scenario(invalid)) => invalid.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_scenario_says_who_sends_what_and_when() {
    let text = r#"
        duration = "10m"
        [[streams]]
        name = "jobs"
        request = "POST /v1/threads/{thread}/runs"
        workers = 3
        pause = "2s"
        from = "1m"
        client = "web"
        priority = "low"
        headers = { OpenAI-Project = "p" }
        model = "gpt-4o"
        latency = { p50 = "300ms", p95 = "2s" }
        poll = { request = "GET /v1/threads/{thread}/runs/{run}", work = ["5s", "9s"] }
    "#;
    let Traffic { streams, lasts, .. } = traffic(text);
    let [stream] = &streams[..] else { panic!("{streams:?}") };
    assert_eq!((lasts, stream.from, stream.until), (Duration::from_mins(10), Duration::from_mins(1), lasts));
    assert!(
        matches!(stream.arrivals, Arrivals::Workers { workers, pause } if workers.get() == 3 && pause.as_secs() == 2)
    );
    assert_eq!(stream.kind.sender.headers, [("openai-project".to_owned(), "p".to_owned())]);
    assert_eq!(stream.kind.sender.body, r#"{"model":"gpt-4o"}"#);
    let poll = stream.poll.as_ref().expect("it is polled");
    assert_eq!(poll.work, Spread::Between(Duration::from_secs(5), Duration::from_secs(9)));
    assert_eq!(
        (poll.every, poll.kind.path.fill(7)),
        (Duration::from_secs(1), "/v1/threads/thread-7/runs/run-7".to_owned())
    );
    assert_eq!((poll.kind.sender.client.as_deref(), &*poll.kind.sender.body), (Some("web"), ""));
}

#[test]
fn everything_that_is_wrong_is_said_with_its_place_and_the_mend() {
    let text = "duration = \"soon\"\n[[streams]]\nrequest = \"/v1/x\"\nrate = \"5\"\nlatency = [\"2s\", \"1s\"]\npriority = \"urgent\"\n";
    let said = wrong(text);
    for (place, mend) in [
        ("test.toml:1:12", "\"1h 30m\""),
        ("test.toml:3:11", "write a method and a path"),
        ("test.toml:4:8", "\"300/min\""),
        ("test.toml:5:11", "p95 ="),
        ("test.toml:6:12", "\"high\", \"normal\" or \"low\""),
    ] {
        assert!(said.contains(place) && said.contains(mend), "{place}, {mend}: {said}");
    }
}

#[test]
fn what_makes_no_sense_together_is_wrong() {
    let stream = |keys: &str| format!("duration = \"1m\"\n[[streams]]\nrequest = \"GET /v1/x\"\n{keys}\n");
    for (text, what) in [
        (stream(""), "0 ways to arrive"),
        (stream("rate = \"5/s\"\nburst = 3"), "2 ways to arrive"),
        (stream("ramp = [\"1/s\"]"), "a ramp of other than two rates"),
        (stream("burst = 3\npause = \"1s\""), "a pause of nobody"),
        (stream("burst = 3\nfrom = \"2m\""), "a stream that never begins"),
        (stream("burst = 3\nmodel = \"m\"\nbody = '{}'"), "a model beside a body"),
        (stream("burst = 3\nbody = '{'"), "a body that is no JSON"),
        (stream("burst = 3\n[upstream]\nwindow = \"round\"\nlimits = []"), "no way to count"),
        (stream("burst = 3\n[upstream]\nlimits = [{ match = [\"x\"], limit = \"1/s\" }]"), "no match"),
        (stream("burst = 0"), "burst"),
        (stream("workers = 1\nlatency = \"0s\""), "workers that take no time"),
        (stream("workers = 1\nlatency = { mean = \"0s\" }\npause = \"10us\""), "workers that take no time"),
        (stream("workers = 1\nlatency = [\"0s\", \"1ms\"]"), "workers that take no time"),
        (stream("rate = \"2000000/s\""), "120000000 would come"),
        (stream("poisson = \"4000000000/s\""), "240000000000 would come"),
        (stream("ramp = [\"1/s\", \"4000000/s\"]"), "too many requests"),
        (stream("burst = 100000001"), "too many requests"),
        (stream("workers = 100000001"), "too many requests"),
        (stream("speed = 3"), "unknown key `speed`"),
        ("duration = \"1m\"\nstreams = []".to_owned(), "no streams"),
        ("duration = \"0s\"\n[[streams]]\nrequest = \"GET /v1/x\"\nburst = 3".to_owned(), "no time at all"),
        ("streams = []".to_owned(), "missing key `duration`"),
    ] {
        let said = wrong(&text);
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(wrong("[[streams]]\nspeed = 3").contains("docs/simulate.md"));
}

#[test]
fn a_time_is_a_year_at_most_wherever_it_is_written() {
    let scenario = |duration: &str, keys: &str| {
        format!("duration = \"{duration}\"\n[[streams]]\nrequest = \"GET /v1/x\"\n{keys}\n")
    };
    let ages = "300000000000 years";
    assert_eq!(wrong(&scenario(ages, "burst = 3")).matches("too long a time").count(), 1);
    let poll = |keys: &str| format!("burst = 3\npoll = {{ request = \"GET /v1/x\", {keys} }}");
    for keys in [
        format!("burst = 3\nfrom = \"{ages}\""),
        format!("burst = 3\nuntil = \"{ages}\""),
        format!("burst = 3\npatience = \"{ages}\""),
        format!("workers = 3\npause = \"{ages}\""),
        format!("rate = \"1/{}\"", ages.replace(' ', "")),
        format!("burst = 3\nlatency = \"{ages}\""),
        format!("burst = 3\nlatency = [\"1s\", \"{ages}\"]"),
        format!("burst = 3\nlatency = {{ mean = \"{ages}\" }}"),
        format!("burst = 3\nlatency = {{ p50 = \"1s\", p95 = \"{ages}\" }}"),
        poll(&format!("work = \"{ages}\"")),
        poll(&format!("work = \"1s\", latency = \"{ages}\"")),
        poll(&format!("work = \"1s\", every = \"{ages}\"")),
        format!(
            "burst = 3\n[upstream]\nlimits = [{{ match = [\"GET /v1/x\"], limit = \"1/{}\" }}]",
            ages.replace(' ', "")
        ),
    ] {
        let said = wrong(&scenario("1m", &keys));
        assert!(said.contains("too long a time") && said.contains("a year at most"), "{keys}: {said}");
    }
    assert_eq!(traffic(&scenario("1y", "burst = 3")).lasts, Duration::from_hours(8_766));
}
