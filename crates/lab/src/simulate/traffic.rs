use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::pattern::Pattern;
use super::spread::Spread;
use crate::limit::Rate;
use crate::meter::Counting;
use crate::route::{Priority, Template};

/// Who sends what, and when.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Requests of one kind each.
    pub streams: Vec<Stream>,
    /// How long anybody begins something.
    pub lasts: Duration,
    /// Where chance starts.
    pub seed: u64,
    /// Limits that the upstream has, whatever the configuration says.
    pub upstream: Caps,
    /// What of it is not as it was, for people to read.
    pub notes: Vec<String>,
}

/// Requests of one kind.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What people call it.
    pub name: String,
    /// What is asked.
    pub kind: Kind,
    /// When.
    pub arrivals: Arrivals,
    /// From when on.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
    /// How long the upstream takes, to the last byte of its answer.
    pub latency: Spread,
    /// What is asked again and again until what was begun is done.
    pub poll: Option<Poll>,
}

/// A kind of request.
#[derive(Clone, Debug)]
pub struct Kind {
    /// As in `POST`.
    pub method: String,
    /// Where it goes.
    pub path: Pattern,
    /// What it says of itself.
    pub sender: Arc<Sender>,
}

/// What requests say of themselves.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// Who sends them: a name or a label as in `[clients.weights]`; else the headers tell.
    pub client: Option<String>,
    /// Before whom they go; nothing is what the route says.
    pub priority: Option<Priority>,
    /// How long they wait; nothing is what the pools say.
    pub patience: Option<Duration>,
    /// How often they come back when the gate refuses them, at the time they are told.
    pub retries: u32,
    /// Names in lower case, and values, which may be secret.
    pub headers: Vec<(String, String)>,
    /// JSON, or nothing.
    pub body: String,
    /// What they cost in tokens, if the body does not tell.
    pub tokens: Option<u32>,
}

/// When requests come.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// So many, evenly.
    Even(Rate),
    /// So many on average, whenever chance will have it.
    Poisson(Rate),
    /// Evenly at a pace that grows, or falls, from the one to the other.
    Ramp(Rate, Rate),
    /// So many at once.
    Burst(NonZeroU32),
    /// So many workers, each of which begins the next when one is done, and a pause over.
    Workers {
        /// How many.
        workers: NonZeroU32,
        /// How long each is still in between.
        pause: Duration,
    },
    /// As they once came.
    Listed(Arc<[Listed]>),
}

/// A request that has come once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listed {
    /// When, from the beginning.
    pub at: Duration,
    /// How long the upstream took.
    pub latency: Duration,
    /// What it cost in tokens, if that is known.
    pub tokens: Option<u32>,
}

/// What is asked again and again.
#[derive(Clone, Debug)]
pub struct Poll {
    /// What is asked. Its places in the path are those of what is polled for.
    pub kind: Kind,
    /// How long after the last answer.
    pub every: Duration,
    /// How long what is polled for takes.
    pub work: Spread,
    /// How long the upstream takes to answer.
    pub latency: Spread,
}

/// Limits of the upstream.
#[derive(Clone, Debug)]
pub struct Caps {
    /// How it counts.
    pub window: Counting,
    /// With a bucket, how many may come at once.
    pub burst: Option<NonZeroU32>,
    /// So many of what matches any of these.
    pub limits: Vec<(Vec<Template>, Rate)>,
}

impl Default for Caps {
    fn default() -> Self {
        Self { window: Counting::Fixed, burst: None, limits: Vec::new() }
    }
}

impl Traffic {
    /// The same with so many workers in this stream.
    #[must_use]
    pub fn with_workers(&self, stream: usize, count: NonZeroU32) -> Self {
        let mut traffic = self.clone();
        if let Arrivals::Workers { workers, .. } = &mut traffic.streams[stream].arrivals {
            *workers = count;
        }
        traffic
    }

    /// The stream of workers that people call so, or the only one there is.
    ///
    /// # Errors
    /// The names of those there are.
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
