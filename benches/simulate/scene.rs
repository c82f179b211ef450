use std::time::Duration;

/// The same traffic, for a scenario and for real.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) lasts: Duration,
    pub(crate) streams: Vec<Stream>,
}

/// Requests of one kind.
#[derive(Clone)]
pub(crate) struct Stream {
    pub(crate) request: &'static str,
    pub(crate) comes: Comes,
}

/// When they come.
#[derive(Clone, Copy)]
pub(crate) enum Comes {
    /// So many a second, evenly.
    Evenly(u32),
    /// So many at once, after so many seconds.
    AtOnce(u32, u32),
    /// So many workers, with a pause in milliseconds after each answer.
    Workers(u32, u64),
}

/// Twenty in two seconds.
pub(crate) const CONFIG: &str = "extends = \"none\"\n[queue]\nmax_waiting = 10000\nmax_wait = \"10m\"\n\
         [pools.all]\nrequests = [\"20/2s\"]\nmargin = \"20ms\"\n\
         [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"all\"]\n\
         [[routes]]\nmatch = \"GET /v1/threads/{*rest}\"\npools = [\"all\"]\n\
         [[routes]]\nmatch = \"GET /v1/threads/{thread_id}/runs/{run_id}\"\npools = [\"all\"]\ncoalesce = true\nreuse = \"500ms\"\n";

/// How long the upstream takes.
pub(crate) const LATENCY: Duration = Duration::from_millis(100);

const POST: &str = "POST /v1/threads";
const POLL: &str = "GET /v1/threads/t/runs/r";
const OTHER: &str = "GET /v1/threads/t/messages";

const RUNS: [&str; 6] = [
    "GET /v1/threads/t/runs/a",
    "GET /v1/threads/t/runs/b",
    "GET /v1/threads/t/runs/c",
    "GET /v1/threads/t/runs/d",
    "GET /v1/threads/t/runs/e",
    "GET /v1/threads/t/runs/f",
];

/// More comes than goes; workers that wait for one another; polls that share their calls; polls of so many runs that they
/// are kept to their share.
pub(crate) fn scenes(seconds: u32) -> [Scene; 4] {
    let lasts = Duration::from_secs(seconds.into());
    let stream = |request, comes| Stream { request, comes };
    let line = vec![stream(POST, Comes::Evenly(12)), stream(POST, Comes::AtOnce(30, seconds / 3))];
    let workers = vec![stream(POST, Comes::Workers(40, 0))];
    let polls = vec![stream(POLL, Comes::Workers(30, 200)), stream(OTHER, Comes::Workers(12, 100))];
    let runs = RUNS.map(|run| stream(run, Comes::Workers(2, 100))).into();
    [("line", line), ("workers", workers), ("polls", polls), ("runs", runs)].map(|(name, streams)| Scene {
        name,
        lasts,
        streams,
    })
}

impl Scene {
    pub(crate) fn scenario(&self) -> String {
        let head = format!("duration = \"{}s\"\n", self.lasts.as_secs());
        self.streams.iter().fold(head, |text, Stream { request, comes }| {
            let comes = match comes {
                Comes::Evenly(rate) => format!("rate = \"{rate}/s\""),
                Comes::AtOnce(count, after) => format!("burst = {count}\nfrom = \"{after}s\""),
                Comes::Workers(count, pause) => format!("workers = {count}\npause = \"{pause}ms\""),
            };
            let latency = LATENCY.as_millis();
            text + &format!("[[streams]]\nrequest = \"{request}\"\nlatency = \"{latency}ms\"\n{comes}\n")
        })
    }
}
