use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::body::Body;
use super::found::Params;
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

/// One part of what tells the instances of a pool apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// A parameter of the route's path.
    Path(Arc<str>),
    /// A header; its value is hashed, as it may be secret.
    Header(Box<str>),
    /// A text field of the body.
    Body(Box<str>),
    /// Credentials, organization and project together, hashed.
    Account,
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

/// What of a request decides its keys and costs.
pub trait Facts {
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&[u8]>;
    /// What its body says; nothing where it was not read or could not be understood.
    fn body(&self) -> Option<&Body<'_>>;

    /// About how many tokens it costs; nothing where its body says nothing.
    fn tokens(&self) -> Option<u32> {
        self.body().map(Body::tokens)
    }
}

impl RouteCharge {
    /// What this request asks; nothing where its weight is zero.
    pub(super) fn ask(&self, params: &Params, facts: &dyn Facts) -> Option<Ask> {
        let cost = match &self.weight {
            Weight::Fixed(cost) => Some(cost.get()),
            Weight::BodyArray(field) => facts.body().map(|body| body.array_len(field)),
            Weight::Tokens => facts.tokens(),
        };
        (cost != Some(0)).then(|| Ask { pool: self.pool, key: self.key_of(params, facts), cost })
    }

    /// Whether the body must be read before this can be said.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        !matches!(self.weight, Weight::Fixed(_)) || self.key.iter().any(|part| matches!(part, KeyPart::Body(_)))
    }

    fn key_of(&self, params: &Params, facts: &dyn Facts) -> Option<Box<str>> {
        let values = self.key.iter().map(|part| part.value(params, facts));
        (!self.key.is_empty()).then(|| values.collect::<Vec<_>>().join(" ").into())
    }
}

impl KeyPart {
    /// What this part of the key is for a request. Case is folded: to some servers, another case is the same name.
    fn value(&self, params: &Params, facts: &dyn Facts) -> String {
        match self {
            Self::Path(name) => {
                let param = params.iter().find(|(param, _)| param == name).map(|(_, value)| value.as_str());
                legible(param.unwrap_or_default())
            }
            Self::Header(name) => hashed(&[facts.header(name).unwrap_or_default()]),
            Self::Body(field) => legible(facts.body().and_then(|body| body.text(field)).unwrap_or_default()),
            Self::Account => account_label(|name| facts.header(name)),
        }
    }
}

/// A label for whoever pays: it tells accounts apart and does not give them away.
fn account_label<'h>(header: impl Fn(&str) -> Option<&'h [u8]>) -> String {
    let names = ["authorization", "api-key", "openai-organization", "openai-project"];
    hashed(&names.map(|name| header(name).unwrap_or_default()))
}

/// As it is, unless it is longer than any name: clients must not fill the ledger's memory with keys.
fn legible(value: &str) -> String {
    if value.len() > LONGEST_KEY {
        return hashed(&[value.as_bytes()]);
    }
    value.replace(|c: char| c.is_whitespace() || c.is_control(), "_").to_lowercase()
}

/// Ids of OpenAI have 30 to 70 characters.
const LONGEST_KEY: usize = 128;

fn hashed(values: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    values.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is \"path.NAME\", \"header.NAME\", \"body.FIELD\" or \"account\"")]
pub struct ParseKeyError;

impl FromStr for KeyPart {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        match text.split_once('.') {
            Some(("path", name)) if !name.is_empty() => Ok(Self::Path(name.into())),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_ascii_lowercase().into())),
            Some(("body", field)) if !field.is_empty() => Ok(Self::Body(field.into())),
            None if text == "account" => Ok(Self::Account),
            _ => Err(ParseKeyError),
        }
    }
}

impl std::fmt::Display for KeyPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(name) => write!(f, "path.{name}"),
            Self::Header(name) => write!(f, "header.{name}"),
            Self::Body(field) => write!(f, "body.{field}"),
            Self::Account => f.write_str("account"),
        }
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
            None if text == "tokens" => Ok(Self::Tokens),
            _ => text.parse().map(Self::Fixed).map_err(|_| ParseChargeError),
        }
    }
}
