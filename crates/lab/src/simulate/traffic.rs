use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::pattern::Pattern;
use super::spread::Spread;
use crate::client::{ClientKey, Clients};
use crate::credential;
use crate::limit::Rate;
use crate::meter::{Counting, Rule};
use crate::route::{Priority, Template};
use crate::scheduler::ClientId;

/// The requests of a simulation: by which clients, and when.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// The streams of requests.
    pub streams: Vec<Stream>,
    /// How long new requests arrive.
    pub lasts: Duration,
    /// The seed of the random numbers.
    pub seed: u64,
    /// The upstream's own limits.
    pub upstream: UpstreamLimits,
    /// How it differs from what was recorded, for the report.
    pub notes: Vec<String>,
}

/// Requests that are alike.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its name in the report.
    pub name: String,
    /// The requests.
    pub kind: RequestTemplate,
    /// When they arrive.
    pub arrivals: Arrivals,
    /// The start.
    pub from: Duration,
    /// The end.
    pub until: Duration,
    /// The upstream's latency, to the last byte of its response.
    pub latency: Spread,
    /// The polls that follow each request, until what it started is done.
    pub poll: Option<PollLoop>,
}

/// What a stream's requests have in common.
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    /// The method, as in `POST`.
    pub method: String,
    /// The target.
    pub path: Pattern,
    /// The client.
    pub sender: Arc<ClientGroup>,
}

/// Clients that send alike: their identity, how long they wait and how they retry.
#[derive(Clone, Debug, Default)]
pub struct ClientGroup {
    /// A name or a label as in `[clients.weights]`. Without it, the headers identify the client.
    pub client: Option<String>,
    /// The requested priority. `None` is the route's.
    pub priority: Option<Priority>,
    /// How long they wait. `None` is as long as the pools allow.
    pub patience: Option<Duration>,
    /// The number of retries after a refusal by the gate, each after its `retry-after`.
    pub retries: u32,
    /// The headers: names in lower case, and values, which may be secret.
    pub headers: Vec<(String, String)>,
    /// The body: JSON or empty.
    pub body: String,
    /// The cost in tokens, instead of the body's.
    pub tokens: Option<u32>,
}

/// The arrival times of a stream.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Evenly, at this rate.
    Even(Rate),
    /// A Poisson process of this rate.
    Poisson(Rate),
    /// At a rate that changes linearly from the first to the second.
    Ramp(Rate, Rate),
    /// This many at once.
    Burst(NonZeroU32),
    /// Workers, each of which sends its next request after the last one is done, and a pause.
    Workers {
        /// The number of workers.
        workers: NonZeroU32,
        /// The pause.
        pause: Duration,
    },
    /// At recorded times.
    Listed(Arc<[ListedRequest]>),
}

/// A recorded request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListedRequest {
    /// The time from the start.
    pub at: Duration,
    /// The upstream's latency.
    pub latency: Duration,
    /// The cost in tokens, if known.
    pub tokens: Option<u32>,
}

/// A loop of polls.
#[derive(Clone, Debug)]
pub struct PollLoop {
    /// The poll. Its path has the same ids as the request that started the loop.
    pub kind: RequestTemplate,
    /// The time from a response to the next poll.
    pub every: Duration,
    /// The time until what is polled for is done.
    pub work: Spread,
    /// The upstream's latency.
    pub latency: Spread,
}

/// The upstream's own limits.
#[derive(Clone, Debug)]
pub struct UpstreamLimits {
    /// The way of counting.
    pub window: Counting,
    /// With a bucket, the requests that it admits at once.
    pub burst: Option<NonZeroU32>,
    /// Each limit, with the routes that it counts.
    pub limits: Vec<(Vec<Template>, Rate)>,
    /// Its other rules.
    pub rules: Vec<Rule>,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self { window: Counting::Fixed, burst: None, limits: Vec::new(), rules: Vec::new() }
    }
}

impl Traffic {
    /// The same traffic with this number of workers in this stream.
    #[must_use]
    pub fn with_workers(&self, stream: usize, count: NonZeroU32) -> Self {
        let mut traffic = self.clone();
        if let Arrivals::Workers { workers, .. } = &mut traffic.streams[stream].arrivals {
            *workers = count;
        }
        traffic
    }

    /// The stream of workers with this name, or the only one there is.
    ///
    /// # Errors
    /// The names of all streams of workers.
    pub fn workers(&self, name: &str) -> Result<usize, Vec<&str>> {
        let streams = self.streams.iter().enumerate();
        let works: Vec<_> = streams.filter(|(_, stream)| matches!(stream.arrivals, Arrivals::Workers { .. })).collect();
        let named = works.iter().find(|(_, stream)| stream.name == name);
        match (named, &works[..]) {
            (Some(&(index, _)), _) => Ok(index),
            (None, &[(index, _)]) if name == "workers" => Ok(index),
            _ => Err(works.iter().map(|(_, stream)| &*stream.name).collect()),
        }
    }
}

impl ClientGroup {
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_bytes())
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.headers.iter().map(|(name, value)| (&**name, value.as_bytes()))
    }

    /// The client.
    pub(super) fn who(&self, clients: &Clients) -> ClientId {
        if let Some(client) = &self.client {
            return Clients::named(client);
        }
        let header = |name: &str| self.header(name).unwrap_or_default();
        let credential = || credential::HEADERS.into_iter().find_map(|name| self.header(name)).unwrap_or_default();
        clients.identify_by(|key| match key {
            ClientKey::Credential => {
                credential::holder(credential(), header(credential::ORGANIZATION), header(credential::PROJECT))
            }
            ClientKey::Header(header) => self.header(header.as_str()).unwrap_or_default().into(),
            ClientKey::Peer => b"127.0.0.1".into(),
        })
    }

    /// The client's name in the scenario, or its label if that name may be a credential.
    pub(super) fn label(&self, clients: &Clients) -> String {
        let is_name = |client: &&String| !client.is_empty() && !client.contains("sk-") && !client.contains(' ');
        self.client.as_ref().filter(is_name).cloned().unwrap_or_else(|| Clients::label(self.who(clients)))
    }
}
