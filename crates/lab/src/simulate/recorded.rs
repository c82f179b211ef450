use std::time::Duration;

use time::OffsetDateTime;

use super::spread::Spread;
use super::traffic::{Arrivals, Caps, Kind, Listed, Stream, Traffic};

/// A request that was recorded.
pub(super) struct Recorded {
    pub(super) at: OffsetDateTime,
    pub(super) latency: Duration,
    pub(super) tokens: Option<u32>,
}

/// Recorded requests come again as they came, the first at once.
pub(super) fn traffic(kinds: Vec<(Kind, Vec<Recorded>)>, notes: Vec<String>) -> Traffic {
    let times = || kinds.iter().flat_map(|(_, recorded)| recorded.iter().map(|recorded| recorded.at));
    let first = times().min().unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let last = times().max().unwrap_or(first);
    let lasts = since(first, last) + Duration::from_millis(1);
    let stream = |(kind, recorded): (Kind, Vec<Recorded>)| {
        let listed = |&Recorded { at, latency, tokens }: &Recorded| Listed { at: since(first, at), latency, tokens };
        let mut listed: Vec<_> = recorded.iter().map(listed).collect();
        listed.sort_by_key(|listed| listed.at);
        let arrivals = Arrivals::Listed(listed.into());
        let latency = Spread::Fixed(Duration::ZERO);
        Stream { name: String::new(), kind, arrivals, from: Duration::ZERO, until: lasts, latency, poll: None }
    };
    let streams = kinds.into_iter().map(stream).collect();
    Traffic { streams, lasts, seed: 1, upstream: Caps::default(), notes }
}

fn since(first: OffsetDateTime, at: OffsetDateTime) -> Duration {
    Duration::try_from(at - first).unwrap_or_default()
}
