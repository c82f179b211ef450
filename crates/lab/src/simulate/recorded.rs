use std::time::Duration;

use time::OffsetDateTime;

use super::spread::Spread;
use super::traffic::{Arrivals, ListedRequest, RequestTemplate, Stream, Traffic, UpstreamLimits};

/// A recorded request.
pub(super) struct RecordedRequest {
    pub(super) at: OffsetDateTime,
    pub(super) latency: Duration,
    pub(super) tokens: Option<u32>,
}

/// Traffic that repeats the recorded requests at their times, the first at once.
pub(super) fn traffic(kinds: Vec<(RequestTemplate, Vec<RecordedRequest>)>, notes: Vec<String>) -> Traffic {
    let times = || kinds.iter().flat_map(|(_, recorded)| recorded.iter().map(|recorded| recorded.at));
    let first = times().min().unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let last = times().max().unwrap_or(first);
    let lasts = since(first, last) + Duration::from_millis(1);
    let stream = |(kind, recorded): (RequestTemplate, Vec<RecordedRequest>)| {
        let listed = |&RecordedRequest { at, latency, tokens }: &RecordedRequest| ListedRequest {
            at: since(first, at),
            latency,
            tokens,
        };
        let mut listed: Vec<_> = recorded.iter().map(listed).collect();
        listed.sort_by_key(|listed| listed.at);
        let arrivals = Arrivals::Listed(listed.into());
        let latency = Spread::Fixed(Duration::ZERO);
        Stream { name: String::new(), kind, arrivals, from: Duration::ZERO, until: lasts, latency, poll: None }
    };
    let streams = kinds.into_iter().map(stream).collect();
    Traffic { streams, lasts, seed: 1, upstream: UpstreamLimits::default(), notes }
}

fn since(first: OffsetDateTime, at: OffsetDateTime) -> Duration {
    Duration::try_from(at - first).unwrap_or_default()
}
