use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An amount in a span of time: `300/min`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tidegate_core::limit::Rate;
///
/// let rate: Rate = "300/min".parse()?;
/// assert_eq!((rate.amount(), rate.per()), (300, Duration::from_mins(1)));
/// assert_eq!(rate.interval(), Duration::from_millis(200));
/// assert_eq!(rate.to_string(), "300/min");
/// assert!("300 per minute".parse::<Rate>().is_err());
/// # Ok::<(), tidegate_core::limit::ParseRateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    amount: NonZeroU32,
    per: Duration,
}

/// The text is no rate; the message says what one looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is an amount, a slash and a span of time, as in \"300/min\", \"10/s\", \"2000/h\" or \"50/30s\"")]
pub struct ParseRateError;

impl Rate {
    /// `amount` in every `per`; nothing if `per` is no time at all.
    #[must_use]
    pub fn new(amount: NonZeroU32, per: Duration) -> Option<Self> {
        (!per.is_zero()).then_some(Self { amount, per })
    }

    /// How many in one span.
    #[must_use]
    pub fn amount(self) -> u32 {
        self.amount.get()
    }

    /// The same, but no more than this amount.
    #[must_use]
    pub fn at_most(self, amount: u64) -> Self {
        let amount =
            u32::try_from(amount).ok().and_then(NonZeroU32::new).map_or(self.amount, |most| self.amount.min(most));
        Self { amount, ..self }
    }

    /// The same in a span of two digits, as people say it: no faster, and slower by a tenth at most.
    #[must_use]
    pub fn rounded(self) -> Self {
        let nanos = self.per.as_nanos();
        let step = 10_u128.pow(nanos.checked_ilog10().unwrap_or_default().saturating_sub(1));
        let per = if self.per.subsec_nanos() == 0 {
            self.per
        } else {
            Duration::from_nanos_u128(nanos.next_multiple_of(step))
        };
        Self { per, ..self }
    }

    /// The same where a minute is this long.
    #[must_use]
    pub fn in_minutes_of(self, minute: Duration) -> Self {
        let per = self.per.mul_f64(minute.as_secs_f64() / 60.0);
        Self { per: per.max(Duration::from_nanos(1)), ..self }
    }

    /// The span.
    #[must_use]
    pub fn per(self) -> Duration {
        self.per
    }

    /// The time from one to the next at an even pace, rounded up to the nanosecond so that the pace is never too fast.
    #[must_use]
    pub fn interval(self) -> Duration {
        let nanos = self.per.as_nanos().div_ceil(u128::from(self.amount()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let (amount, span) = text.split_once('/').ok_or(ParseRateError)?;
        let amount = amount.trim().replace('_', "").parse().map_err(|_| ParseRateError)?;
        let span = span.trim();
        let one_unit = if span.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "1" };
        let per = humantime::parse_duration(&format!("{one_unit}{span}")).map_err(|_| ParseRateError)?;
        Self::new(amount, per).ok_or(ParseRateError)
    }
}

impl TryFrom<String> for Rate {
    type Error = ParseRateError;

    fn try_from(text: String) -> Result<Self, ParseRateError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = match self.per.as_secs_f64() {
            1.0 => "s".to_owned(),
            60.0 => "min".to_owned(),
            3_600.0 => "h".to_owned(),
            86_400.0 => "day".to_owned(),
            _ => humantime::format_duration(self.per).to_string().replace(' ', ""),
        };
        write!(f, "{}/{span}", self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_back_as_it_was_written() {
        for text in ["300/min", "10/s", "2000/h", "200/day", "50/30s", "300/500ms", "7/1m30s"] {
            let rate: Rate = text.parse().expect(text);
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!("200_000/1min".parse::<Rate>().unwrap().to_string(), "200000/min");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "300", "300/", "/min", "0/min", "300/fortnight", "300/0s", "-1/s", "1.5/s", "5000000000/s"] {
            assert_eq!(text.parse::<Rate>(), Err(ParseRateError), "{text}");
        }
    }

    #[test]
    fn a_span_is_rounded_to_two_digits_if_it_is_no_whole_seconds() {
        let rounded = |text: &str| text.parse::<Rate>().unwrap().rounded().to_string();
        for (exact, said) in
            [("42/3410ms", "42/3s500ms"), ("300/min", "300/min"), ("3/1m47s", "3/1m47s"), ("9/123us", "9/130us")]
        {
            assert_eq!(rounded(exact), said);
        }
        let least: Rate = "42/3410ms".parse().unwrap();
        assert_eq!([0, 41, 43].map(|most| least.at_most(most).amount()), [42, 41, 42]);
    }

    #[test]
    fn an_interval_is_rounded_up() {
        assert_eq!("7/s".parse::<Rate>().unwrap().interval(), Duration::from_nanos(142_857_143));
    }
}
