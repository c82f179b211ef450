use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::measure::Measure;
use crate::limit::{Rate, Unit};

/// An account's limits on each model: token buckets of the size of the limit.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelLimits {
    /// Requests a minute for each model.
    #[arg(long, value_name = "N")]
    pub rpm: Option<NonZeroU32>,
    /// Requests a day for each model.
    #[arg(long, value_name = "N")]
    pub rpd: Option<NonZeroU32>,
    /// Tokens a minute for each model: an estimate of the input, plus the maximum of the output.
    #[arg(long, value_name = "N")]
    pub tpm: Option<NonZeroU32>,
    /// Other limits for one model or family; an empty figure is no limit.
    #[arg(long = "model", value_name = "NAME=RPM:TPM")]
    pub models: Vec<ModelFigures>,
    /// Models that share their limits.
    #[arg(long = "family", value_name = "NAME=MODEL,MODEL")]
    pub families: Vec<ModelFamily>,
    /// Send no x-ratelimit-* headers.
    #[arg(long)]
    pub no_ratelimit_headers: bool,
}

/// The limits of one model or family.
#[derive(Clone, Debug)]
pub struct ModelFigures {
    name: String,
    rpm: Option<NonZeroU32>,
    tpm: Option<NonZeroU32>,
}

/// Models that share their limits.
#[derive(Clone, Debug)]
pub struct ModelFamily {
    name: String,
    models: Vec<String>,
}

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

impl ModelLimits {
    /// The limits that every model has.
    #[must_use]
    pub fn for_all(&self) -> Vec<(Unit, Rate)> {
        let all =
            [(Unit::Requests, self.rpm, MINUTE), (Unit::Requests, self.rpd, DAY), (Unit::Tokens, self.tpm, MINUTE)];
        all.into_iter().filter_map(|(unit, amount, per)| Some((unit, Rate::new(amount?, per)?))).collect()
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        [self.rpm, self.rpd, self.tpm].iter().any(Option::is_some) || !self.models.is_empty()
    }

    /// The name whose limits apply to a model: its family's, else its own.
    pub(super) fn name<'a>(&'a self, model: &'a str) -> &'a str {
        let mut families = self.families.iter();
        let family = families.find(|family| family.models.iter().any(|member| member == model));
        family.map_or(model, |family| &family.name)
    }

    /// The limits of a model or family.
    pub(super) fn limits(&self, name: &str) -> impl Iterator<Item = (Measure, Rate)> + use<> {
        let figures = self.models.iter().find(|figures| figures.name == name);
        let (rpm, tpm) = figures.map_or((self.rpm, self.tpm), |figures| (figures.rpm, figures.tpm));
        let limits =
            [(Measure::Requests, rpm, MINUTE), (Measure::RequestsADay, self.rpd, DAY), (Measure::Tokens, tpm, MINUTE)];
        limits.into_iter().filter_map(|(measure, amount, per)| Some((measure, Rate::new(amount?, per)?)))
    }
}

impl FromStr for ModelFigures {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "figures are a name, the requests and the tokens a minute, as in gpt-4o=500:30000, gpt-4o=500: or gpt-4o=:30000";
        let (name, figures) = text.split_once('=').ok_or(wrong)?;
        let (rpm, tpm) = figures.split_once(':').ok_or(wrong)?;
        let figure = |text: &str| (!text.is_empty()).then(|| text.parse().map_err(|_| wrong)).transpose();
        Ok(Self { name: name.to_owned(), rpm: figure(rpm)?, tpm: figure(tpm)? })
    }
}

impl FromStr for ModelFamily {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a family is a name and its models, as in gpt-4o=gpt-4o-2024-08-06,gpt-4o-2024-11-20";
        let (name, models) = text.split_once('=').ok_or(wrong)?;
        let models: Vec<String> = models.split(',').map(str::to_owned).collect();
        (!models.contains(&String::new())).then(|| Self { name: name.to_owned(), models }).ok_or(wrong)
    }
}
