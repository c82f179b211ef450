use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::Rate;

/// Which part of every limit of the account this gate has, where several gates share one: `1/3`.
///
/// # Examples
///
/// ```
/// use tidegate_core::limit::{Rate, Share};
///
/// let share: Share = "1/3".parse()?;
/// let third = |rate: &str| share.of_rate(rate.parse::<Rate>().unwrap()).to_string();
/// assert_eq!(third("301/min"), "100/min");
/// // Less than one in a window is one in a longer window.
/// assert_eq!(third("2/min"), "1/1m30s");
/// assert!("4/3".parse::<Share>().is_err());
/// # Ok::<(), tidegate_core::limit::ParseShareError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    part: NonZeroU32,
    of: NonZeroU32,
}

/// The text is no share; the message says what one looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a share is a part of a whole, as in \"1/3\" or \"2/5\", and no more than \"1/1\"")]
pub struct ParseShareError;

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { part: NonZeroU32::MIN, of: NonZeroU32::MIN };

    /// Whether it is all.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.part == self.of
    }

    /// This part of a limit: rounded down, so that all shares together are never more. Where that is nothing, one in as long
    /// as one takes.
    #[must_use]
    pub fn of_rate(self, rate: Rate) -> Rate {
        let amount = self.of_amount(rate.amount().into());
        let stretched = || {
            let parts = u128::from(self.part.get()) * u128::from(rate.amount());
            let per = (rate.per().as_nanos() * u128::from(self.of.get())).div_ceil(parts);
            Rate::new(NonZeroU32::MIN, std::time::Duration::from_nanos_u128(per))
        };
        let whole = u32::try_from(amount).ok().and_then(NonZeroU32::new);
        whole.map_or_else(stretched, |amount| Rate::new(amount, rate.per())).expect("a rate has a span")
    }

    /// This part of what may be at once: one at least.
    #[must_use]
    pub fn of_count(self, count: NonZeroU32) -> NonZeroU32 {
        let part = u32::try_from(self.of_amount(count.get().into())).ok().and_then(NonZeroU32::new);
        part.unwrap_or(NonZeroU32::MIN)
    }

    /// This part of an amount, rounded down.
    #[must_use]
    pub fn of_amount(self, amount: u64) -> u64 {
        let part = u128::from(amount) * u128::from(self.part.get()) / u128::from(self.of.get());
        u64::try_from(part).unwrap_or(amount)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl FromStr for Share {
    type Err = ParseShareError;

    fn from_str(text: &str) -> Result<Self, ParseShareError> {
        let (part, of) = text.split_once('/').ok_or(ParseShareError)?;
        let number = |text: &str| text.trim().parse::<NonZeroU32>().map_err(|_| ParseShareError);
        let share = Self { part: number(part)?, of: number(of)? };
        if share.part <= share.of { Ok(share) } else { Err(ParseShareError) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}
