use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::facts::Facts;
use super::found::Match;
use super::key::KeyPart;
use crate::limit::PoolId;

/// What a route takes from one pool.
#[derive(Clone, Debug)]
pub struct RouteCharge {
    /// Which.
    pub pool: PoolId,
    /// How much.
    pub weight: Weight,
    /// What tells the pool's instances apart; empty for a pool that has only one.
    pub key: Arc<[KeyPart]>,
}

/// How much a request takes from a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Always the same.
    Fixed(NonZeroU32),
    /// As many as the array in this field of the JSON body is long; nothing where there is none.
    BodyArray(Box<str>),
    /// About as many as it has tokens: of its input, and as many as it lets the model write.
    Tokens,
}

/// What a request asks of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which.
    pub pool: PoolId,
    /// Of its instances, which: the values of the parts of its key, with a space between them and none within.
    pub key: Option<Box<str>>,
    /// How much; nothing stands for as much as the pool can give, where the body was too large to look into.
    pub cost: Option<u32>,
}

/// What a request asks of all its pools.
pub type Asks = SmallVec<[Ask; 2]>;

impl RouteCharge {
    /// How much this request asks; nothing where that cannot be seen.
    pub(super) fn cost(&self, facts: &dyn Facts) -> Option<u32> {
        match &self.weight {
            Weight::Fixed(cost) => Some(cost.get()),
            Weight::BodyArray(field) => facts.body().map(|body| body.array_len(field)),
            Weight::Tokens => facts.tokens(),
        }
    }

    /// Whether the body must be read before this can be said.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        !matches!(self.weight, Weight::Fixed(_)) || self.key.iter().any(|part| matches!(part, KeyPart::Body(_)))
    }

    /// Whether the endpoint tells its instances apart.
    pub(super) fn names_endpoint(&self) -> bool {
        self.key.contains(&KeyPart::Endpoint)
    }

    /// Of which instance it asks it.
    pub(super) fn key_of(&self, found: &Match, facts: &dyn Facts) -> Option<Box<str>> {
        let values = self.key.iter().map(|part| part.value_in_tier(found, facts));
        (!self.key.is_empty()).then(|| values.collect::<Vec<_>>().join(" ").into())
    }
}

/// The text is no weight.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cost is a whole number from 1 up, or \"body.FIELD\" for the length of that array")]
pub struct ParseChargeError;

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(cost) => write!(f, "{cost}"),
            Self::BodyArray(field) => write!(f, "body.{field}"),
            Self::Tokens => f.write_str("tokens"),
        }
    }
}

impl FromStr for Weight {
    type Err = ParseChargeError;

    fn from_str(text: &str) -> Result<Self, ParseChargeError> {
        match text.strip_prefix("body.") {
            Some(field) if !field.is_empty() => Ok(Self::BodyArray(field.into())),
            _ => text.parse().map(Self::Fixed).map_err(|_| ParseChargeError),
        }
    }
}
