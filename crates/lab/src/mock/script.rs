use std::collections::VecDeque;
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::refusals::Refusal;
use super::share::{Scale, Share};
use crate::meter::scaled;

/// How the weather changes over time, each step after the one before.
#[derive(Clone, Debug, Default)]
pub struct Script(VecDeque<Step>);

/// A change of the weather; what it does not name stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a step, as in { scale = 0.6 }")]
pub(super) struct Step {
    /// When, from the first request on, in a time whose minute is as long as `--minute` says.
    #[serde(deserialize_with = "time")]
    pub(super) at: Option<Duration>,
    pub(super) scale: Option<Scale>,
    pub(super) foreign: Option<Share>,
    pub(super) refuse: Option<Reason>,
    pub(super) refuse_share: Option<Share>,
    pub(super) gone: Option<bool>,
    #[serde(deserialize_with = "time")]
    pub(super) latency: Option<Duration>,
}

/// Why requests are refused, or that they are not.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Reason(pub(super) Option<Refusal>);

/// What is wrong with a script, where, and what one looks like.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}\na script is TOML, with steps as in:\n\n[[step]]\nat = \"90s\"\nscale = 0.6", .0.to_string().trim_end())]
pub struct BadScript(#[from] toml::de::Error);

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    step: Vec<Step>,
}

impl Script {
    /// Reads the named file.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
        text.parse().map_err(|error: BadScript| error.to_string())
    }

    /// Takes the next step off if its time has come, `elapsed` after the first request.
    pub(super) fn next(&mut self, elapsed: Duration, minute: Duration) -> Option<(Duration, Step)> {
        let scaled = |step: &Step| scaled(step.at.unwrap_or_default(), minute);
        let at = self.0.front().map(scaled).filter(|at| *at <= elapsed)?;
        self.0.pop_front().map(|step| (at, step))
    }
}

impl Step {
    /// A step that is taken at once, from its JSON.
    pub(super) fn at_once(json: serde_json::Value) -> Result<Self, String> {
        let step: Self = serde_json::from_value(json).map_err(|error| error.to_string())?;
        match step.at {
            None => Ok(step),
            Some(_) => Err("this step is taken at once; leave out `at`, or write it into a --script".to_owned()),
        }
    }
}

impl FromStr for Script {
    type Err = BadScript;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut file: File = toml::from_str(text)?;
        file.step.sort_by_key(|step| step.at);
        Ok(Self(file.step.into()))
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = |_| D::Error::custom(format!("{text:?} is no time; write one as in \"90s\" or \"1m30s\""));
    humantime::parse_duration(&text).map(Some).map_err(wrong)
}

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "none" {
            return Ok(Self(None));
        }
        let reason = Refusal::from_str(&text, false).map(|reason| Self(Some(reason)));
        reason.map_err(|_| format!("{text:?} is no reason to refuse; write one of none, {}", reasons()))
    }
}

fn reasons() -> String {
    let reasons = Refusal::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    reasons.map(|reason| reason.get_name().to_owned()).collect::<Vec<_>>().join(", ")
}
