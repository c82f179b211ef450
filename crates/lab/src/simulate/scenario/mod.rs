//! Traffic from a scenario: streams of requests in a TOML file.

mod bounds;
mod file;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use toml::Spanned;

use self::file::ScenarioFile;
use self::values::Problems;
use super::spread::Spread;
use super::traffic::{Arrivals, ClientGroup, PollLoop, RequestTemplate, Stream, Traffic, UpstreamLimits};
use crate::client::POLL_HELPER;
use crate::problem::{Invalid, Problem};
use crate::route::Priority;

/// Where every key is explained.
const KEYS: &str = "docs/simulate.md has every key there is, with its meaning";

/// The default latency. A guess: a short response.
const LATENCY: Duration = Duration::from_millis(300);

/// The default time from a response to the next poll: that of the SDKs' helpers (docs/upstream.md §5.3).
const EVERY: Duration = Duration::from_secs(1);

/// Reads a scenario. `name` is its name in errors.
///
/// # Errors
/// [`Invalid`] lists all problems.
pub(super) fn read(name: &str, text: &str) -> Result<Traffic, Invalid> {
    let invalid = |problems| Invalid::new(name.to_owned(), text, problems);
    let malformed = |error: toml::de::Error| Problem::malformed(error.message(), error.span().unwrap_or(0..0), KEYS);
    let file: ScenarioFile = toml::from_str(text).map_err(|error| invalid(vec![malformed(error)]))?;
    let mut problems = Problems::default();
    let lasts = problems.some_time(&file.duration);
    let streams = file.streams.iter().enumerate().map(|(at, written)| stream(&mut problems, at, lasts, written));
    let streams: Vec<Stream> = streams.collect();
    if streams.is_empty() {
        problems.note("no streams", 0..0, "", "add [[streams]] with a request and a rate");
    }
    let upstream = file.upstream.as_ref().map(|upstream| caps(&mut problems, upstream)).unwrap_or_default();
    if problems.0.is_empty() {
        Ok(Traffic { streams, lasts, seed: file.seed, upstream, notes: Vec::new() })
    } else {
        Err(invalid(problems.0))
    }
}

fn stream(problems: &mut Problems, at: usize, lasts: Duration, written: &Spanned<file::StreamEntry>) -> Stream {
    let stream = written.get_ref();
    let sender = Arc::new(sender(problems, stream));
    let (method, path) = problems.request(&stream.request);
    let kind = RequestTemplate { method, path, sender: Arc::clone(&sender) };
    let mut time =
        |text: &Option<file::SpannedText>, default| text.as_ref().map_or(default, |text| problems.time(text));
    let (from, until) = (time(&stream.from, Duration::ZERO), time(&stream.until, lasts).min(lasts));
    if from >= until {
        let mend = "let it begin before it ends, and within the scenario's duration";
        problems.note("a stream that never begins", written.span(), "", mend);
    }
    let latency = stream.latency.as_ref().map_or(Spread::Fixed(LATENCY), |times| problems.spread(times));
    let poll = stream.poll.as_ref().map(|poll| self::poll(problems, poll, &sender));
    let name = stream.name.clone().unwrap_or_else(|| format!("{} {}", at + 1, stream.request.get_ref()));
    let stream = Stream { name, kind, arrivals: arrivals(problems, written), from, until, latency, poll };
    bounds::check(problems, &stream, written);
    stream
}

fn arrivals(problems: &mut Problems, written: &Spanned<file::StreamEntry>) -> Arrivals {
    let stream = written.get_ref();
    let pause = stream.pause.as_ref().map(|pause| (problems.time(pause), pause.span()));
    let mut ways = Vec::new();
    ways.extend(stream.rate.as_ref().map(|rate| Arrivals::Even(problems.rate(rate))));
    ways.extend(stream.poisson.as_ref().map(|rate| Arrivals::Poisson(problems.rate(rate))));
    ways.extend(stream.burst.map(Arrivals::Burst));
    let quiet = pause.as_ref().map_or(Duration::ZERO, |(pause, _)| *pause);
    ways.extend(stream.workers.map(|workers| Arrivals::Workers { workers, pause: quiet }));
    if let Some(ramp) = &stream.ramp {
        match &ramp.get_ref()[..] {
            [from, to] => ways.push(Arrivals::Ramp(problems.rate(from), problems.rate(to))),
            _ => problems.note("a ramp of other than two rates", ramp.span(), "", "write ramp = [\"1/s\", \"10/s\"]"),
        }
    }
    if let Some((_, at)) = pause.filter(|_| stream.workers.is_none()) {
        problems.note("a pause of nobody", at, "", "only workers pause: add workers, or take it away");
    }
    if ways.len() != 1 && stream.ramp.as_ref().is_none_or(|ramp| ramp.get_ref().len() == 2) {
        let what = format!("{} ways to arrive", ways.len());
        let mend =
            "write one of rate = \"5/s\", poisson = \"5/s\", ramp = [\"1/s\", \"10/s\"], burst = 600 and workers = 20";
        problems.note(what, written.span(), "each stream has one", mend);
    }
    ways.pop().unwrap_or(Arrivals::Burst(std::num::NonZeroU32::MIN))
}

fn sender(problems: &mut Problems, stream: &file::StreamEntry) -> ClientGroup {
    if let (Some(model), Some(_)) = (&stream.model, &stream.body) {
        problems.note("a model beside a body", model.span(), "", "write the model in the body");
    }
    let model = stream.model.as_ref().map(|model| json!({ "model": model.get_ref() }).to_string());
    let body = stream.body.as_ref().map(|body| problems.body(body));
    let lower = |(name, value): (&String, &String)| (name.to_ascii_lowercase(), value.clone());
    ClientGroup {
        client: stream.client.clone(),
        priority: stream.priority.as_ref().map(|priority| problems.priority(priority)),
        patience: stream.patience.as_ref().map(|patience| problems.time(patience)),
        retries: stream.retries,
        headers: stream.headers.iter().map(lower).collect(),
        body: body.or(model).unwrap_or_default(),
        tokens: stream.tokens,
    }
}

/// Polls come from the client of the stream. They have no body and are not retried. Those of an SDK's helper have low
/// priority by default.
fn poll(problems: &mut Problems, poll: &file::PollEntry, sender: &ClientGroup) -> PollLoop {
    let (method, path) = problems.request(&poll.request);
    let own = poll.priority.as_ref().map(|priority| problems.priority(priority));
    let of_helper = poll.helper.then_some(Priority::Low);
    let helper = poll.helper.then(|| (POLL_HELPER.as_str().to_owned(), "true".to_owned()));
    let sender = ClientGroup {
        priority: own.or(of_helper).or(sender.priority),
        retries: 0,
        headers: sender.headers.iter().cloned().chain(helper).collect(),
        body: String::new(),
        tokens: None,
        ..sender.clone()
    };
    PollLoop {
        kind: RequestTemplate { method, path, sender: Arc::new(sender) },
        every: poll.every.as_ref().map_or(EVERY, |every| problems.some_time(every)),
        work: problems.spread(&poll.work),
        latency: poll.latency.as_ref().map_or(Spread::Fixed(LATENCY), |times| problems.spread(times)),
    }
}

fn caps(problems: &mut Problems, upstream: &file::UpstreamEntry) -> UpstreamLimits {
    let limits = upstream.limits.iter().map(|limit| {
        let matches = limit.matches.iter().filter_map(|text| problems.template(text)).collect();
        (matches, problems.rate(&limit.limit))
    });
    let limits = limits.collect();
    let rules = upstream.rules.iter().filter_map(|text| problems.rule(text)).collect();
    let window = upstream.window.as_ref().map_or(UpstreamLimits::default().window, |window| problems.window(window));
    UpstreamLimits { window, burst: upstream.burst, limits, rules }
}
