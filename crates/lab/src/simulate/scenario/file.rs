//! A scenario as it is written; [`super`] says what of it makes sense.

use std::num::NonZeroU32;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

/// A text with its place in the file.
pub(super) type Text = Spanned<String>;

/// A time, or times to choose from, with its place in the file.
pub(super) type Times = Spanned<toml::Value>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) duration: Text,
    #[serde(default = "one")]
    pub(super) seed: u64,
    pub(super) streams: Vec<Spanned<Stream>>,
    pub(super) upstream: Option<Upstream>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [[streams]]")]
pub(super) struct Stream {
    pub(super) name: Option<String>,
    pub(super) request: Text,
    pub(super) rate: Option<Text>,
    pub(super) poisson: Option<Text>,
    pub(super) ramp: Option<Spanned<Vec<Text>>>,
    pub(super) burst: Option<NonZeroU32>,
    pub(super) workers: Option<NonZeroU32>,
    pub(super) pause: Option<Text>,
    pub(super) from: Option<Text>,
    pub(super) until: Option<Text>,
    pub(super) latency: Option<Times>,
    pub(super) poll: Option<Poll>,
    pub(super) client: Option<String>,
    pub(super) priority: Option<Text>,
    pub(super) patience: Option<Text>,
    #[serde(default)]
    pub(super) retries: u32,
    #[serde(default)]
    pub(super) headers: IndexMap<String, String>,
    pub(super) model: Option<Text>,
    pub(super) body: Option<Text>,
    pub(super) tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [streams.poll]")]
pub(super) struct Poll {
    pub(super) request: Text,
    pub(super) every: Option<Text>,
    pub(super) work: Times,
    pub(super) latency: Option<Times>,
    pub(super) priority: Option<Text>,
    #[serde(default)]
    pub(super) helper: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [upstream]")]
pub(super) struct Upstream {
    pub(super) window: Option<Text>,
    pub(super) burst: Option<NonZeroU32>,
    pub(super) limits: Vec<Limit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [[upstream.limits]]")]
pub(super) struct Limit {
    #[serde(rename = "match")]
    pub(super) matches: Vec<Text>,
    pub(super) limit: Text,
}

fn one() -> u64 {
    1
}
