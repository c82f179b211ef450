use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A fraction, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Fraction(f64);

/// The factor of every limit, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct LimitScale(f64);

impl Fraction {
    /// 0.
    pub const NONE: Self = Self(0.0);
    /// 1.
    pub const ALL: Self = Self(1.0);

    pub(super) fn of(self, amount: f64) -> f64 {
        self.0 * amount
    }
}

impl LimitScale {
    /// 1: limits as configured.
    pub const ONE: Self = Self(1.0);

    /// This limit times the factor, rounded down to at least 1.
    pub(super) fn of(self, amount: u32) -> u32 {
        // 0.6 × 100 is 60, although 0.6 in binary is a little less.
        whole(f64::from(amount) * self.0 + 1e-6).max(1)
    }
}

impl TryFrom<f64> for Fraction {
    type Error = &'static str;

    fn try_from(share: f64) -> Result<Self, Self::Error> {
        (0.0..=1.0).contains(&share).then_some(Self(share)).ok_or("a share is a number from 0 to 1, as in 0.5")
    }
}

impl TryFrom<f64> for LimitScale {
    type Error = &'static str;

    fn try_from(scale: f64) -> Result<Self, Self::Error> {
        (scale > 0.0 && scale.is_finite()).then_some(Self(scale)).ok_or("a scale is a number above 0, as in 0.6")
    }
}

impl FromStr for Fraction {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.parse().unwrap_or(f64::NAN))
    }
}

impl FromStr for LimitScale {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.parse().unwrap_or(f64::NAN))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LimitScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number without its fractional part; 0 for a negative one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, as it should")]
pub(super) fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_limit_is_rounded_down_and_at_least_one() {
        let scale = |scale: f64| LimitScale::try_from(scale).expect("a scale");
        assert_eq!(scale(0.6).of(100), 60);
        assert_eq!(scale(0.6).of(7), 4);
        assert_eq!(scale(0.001).of(300), 1);
        assert_eq!(scale(2.0).of(300), 600);
    }

    #[test]
    fn what_is_no_share_and_no_scale_is_refused() {
        assert!(["-0.1", "1.1", "half", "NaN", ""].iter().all(|text| text.parse::<Fraction>().is_err()));
        assert!(["0", "-1", "inf", "much", ""].iter().all(|text| text.parse::<LimitScale>().is_err()));
    }
}
