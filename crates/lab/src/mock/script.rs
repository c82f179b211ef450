use std::collections::VecDeque;
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::fraction::{Fraction, LimitScale};
use super::refusal::MockRefusal;
use crate::meter::scaled;

/// Changes of the faults, in the order of their times.
#[derive(Clone, Debug, Default)]
pub struct FaultScript(VecDeque<FaultChange>);

/// A change of the faults. What it does not name stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a step, as in { scale = 0.6 }")]
pub(super) struct FaultChange {
    /// When, from the first request on; scaled as `--minute` says.
    #[serde(deserialize_with = "time")]
    pub(super) at: Option<Duration>,
    pub(super) scale: Option<LimitScale>,
    pub(super) foreign: Option<Fraction>,
    pub(super) refuse: Option<RefuseWith>,
    pub(super) refuse_share: Option<Fraction>,
    pub(super) gone: Option<bool>,
    #[serde(deserialize_with = "time")]
    pub(super) latency: Option<Duration>,
}

/// The reason to refuse requests, or `none`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct RefuseWith(pub(super) Option<MockRefusal>);

/// A script that is not valid. The message has the place and an example.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}\na script is TOML, with steps as in:\n\n[[step]]\nat = \"90s\"\nscale = 0.6", .0.to_string().trim_end())]
pub struct ParseScriptError(#[from] toml::de::Error);

/// The script as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    step: Vec<FaultChange>,
}

impl FaultScript {
    /// Reads the named file.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
        text.parse().map_err(|error: ParseScriptError| error.to_string())
    }

    /// Removes the next step if it is due `elapsed` after the first request.
    pub(super) fn next(&mut self, elapsed: Duration, minute: Duration) -> Option<(Duration, FaultChange)> {
        let scaled = |step: &FaultChange| scaled(step.at.unwrap_or_default(), minute);
        let at = self.0.front().map(scaled).filter(|at| *at <= elapsed)?;
        self.0.pop_front().map(|step| (at, step))
    }
}

impl FaultChange {
    /// A step without a time, from its JSON.
    pub(super) fn at_once(json: serde_json::Value) -> Result<Self, String> {
        let step: Self = serde_json::from_value(json).map_err(|error| error.to_string())?;
        match step.at {
            None => Ok(step),
            Some(_) => Err("this step is taken at once; leave out `at`, or write it into a --script".to_owned()),
        }
    }
}

impl FromStr for FaultScript {
    type Err = ParseScriptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut file: ScriptFile = toml::from_str(text)?;
        file.step.sort_by_key(|step| step.at);
        Ok(Self(file.step.into()))
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = |_| D::Error::custom(format!("{text:?} is no time; write one as in \"90s\" or \"1m30s\""));
    humantime::parse_duration(&text).map(Some).map_err(wrong)
}

impl TryFrom<String> for RefuseWith {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "none" {
            return Ok(Self(None));
        }
        let reason = MockRefusal::from_str(&text, false).map(|reason| Self(Some(reason)));
        reason.map_err(|_| format!("{text:?} is no reason to refuse; write one of none, {}", reasons()))
    }
}

fn reasons() -> String {
    let reasons = MockRefusal::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    reasons.map(|reason| reason.get_name().to_owned()).collect::<Vec<_>>().join(", ")
}
