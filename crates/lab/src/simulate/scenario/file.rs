//! A scenario as written; [`super`] validates it.

use std::num::NonZeroU32;

use indexmap::IndexMap;
use serde::Deserialize;
use toml::Spanned;

/// A text with its place in the file.
pub(super) type SpannedText = Spanned<String>;

/// A duration or a distribution, with its place in the file.
pub(super) type TimesEntry = Spanned<toml::Value>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioFile {
    pub(super) duration: SpannedText,
    #[serde(default = "one")]
    pub(super) seed: u64,
    pub(super) streams: Vec<Spanned<StreamEntry>>,
    pub(super) upstream: Option<UpstreamEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [[streams]]")]
pub(super) struct StreamEntry {
    pub(super) name: Option<String>,
    pub(super) request: SpannedText,
    pub(super) rate: Option<SpannedText>,
    pub(super) poisson: Option<SpannedText>,
    pub(super) ramp: Option<Spanned<Vec<SpannedText>>>,
    pub(super) burst: Option<NonZeroU32>,
    pub(super) workers: Option<NonZeroU32>,
    pub(super) pause: Option<SpannedText>,
    pub(super) from: Option<SpannedText>,
    pub(super) until: Option<SpannedText>,
    pub(super) latency: Option<TimesEntry>,
    pub(super) poll: Option<PollEntry>,
    pub(super) client: Option<String>,
    pub(super) priority: Option<SpannedText>,
    pub(super) patience: Option<SpannedText>,
    #[serde(default)]
    pub(super) retries: u32,
    #[serde(default)]
    pub(super) headers: IndexMap<String, String>,
    pub(super) model: Option<SpannedText>,
    pub(super) body: Option<SpannedText>,
    pub(super) tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [streams.poll]")]
pub(super) struct PollEntry {
    pub(super) request: SpannedText,
    pub(super) every: Option<SpannedText>,
    pub(super) work: TimesEntry,
    pub(super) latency: Option<TimesEntry>,
    pub(super) priority: Option<SpannedText>,
    #[serde(default)]
    pub(super) helper: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [upstream]")]
pub(super) struct UpstreamEntry {
    pub(super) window: Option<SpannedText>,
    pub(super) burst: Option<NonZeroU32>,
    #[serde(default)]
    pub(super) limits: Vec<LimitEntry>,
    #[serde(default)]
    pub(super) rules: Vec<SpannedText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table, as in [[upstream.limits]]")]
pub(super) struct LimitEntry {
    #[serde(rename = "match")]
    pub(super) matches: Vec<SpannedText>,
    pub(super) limit: SpannedText,
}

fn one() -> u64 {
    1
}
