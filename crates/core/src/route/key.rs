use std::str::FromStr;
use std::sync::Arc;

use super::account::ACCOUNT_PARTS;
use super::facts::Facts;
use super::found::Match;
use crate::credential::{self, ORGANIZATION, PROJECT};
use crate::fingerprint::Fingerprint;

/// One part of what tells the instances of a pool apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// A parameter of the route's path.
    Path(Arc<str>),
    /// A header; its value is hashed, as it may be secret.
    Header(Box<str>),
    /// A text field of the JSON body.
    Body(Box<str>),
    /// Credentials, organization and project together, hashed.
    Account,
    /// The method and the path, with a `*` for whatever looks like an id.
    Endpoint,
}

impl KeyPart {
    /// What this part of the key is for a request. Case is folded: to some servers, another case is the same name.
    pub(super) fn value(&self, found: &Match, facts: &dyn Facts) -> String {
        match self {
            Self::Path(name) => legible(found.param(name).unwrap_or_default()),
            Self::Header(name) => facts.header(name).map_or(ABSENT.to_owned(), hashed),
            Self::Body(field) => match found.param(field) {
                // Azure's path names the model, whatever its body says.
                Some(param) => legible(param),
                None => {
                    facts.body().map_or(UNSEEN.to_owned(), |body| body.text(field).map_or(ABSENT.to_owned(), legible))
                }
            },
            Self::Account => account_label(facts),
            Self::Endpoint => found.endpoint.as_deref().map_or(ABSENT.to_owned(), bounded),
        }
    }

    /// The same; to a model, the tier is added that it is asked in, where that has limits of its own: `gpt-5+ultrafast`.
    pub(super) fn value_in_tier(&self, found: &Match, facts: &dyn Facts) -> String {
        let value = self.value(found, facts);
        let is_model = matches!(self, Self::Body(field) if **field == *"model");
        let asked = facts.body().filter(|_| is_model).and_then(|body| body.text("service_tier"));
        match TIERS.iter().find(|tier| asked.is_some_and(|asked| asked.eq_ignore_ascii_case(tier))) {
            Some(tier) => format!("{value}{}{tier}", crate::limit::TIER),
            None => value,
        }
    }
}

/// The service tiers that have limits of their own; the others share those of the standard tier (docs/upstream.md §2.5).
const TIERS: [&str; 1] = ["ultrafast"];

/// The value of what a request does not say.
const ABSENT: &str = "-";

/// The value of what nobody can see, as the body is too large to look into, or is no JSON.
const UNSEEN: &str = "?";

/// The fingerprint of who pays: [`ACCOUNT`], one a line, up to the last one sent. So a client that sends only a credential
/// has the digits of its label for its account. It is stable across releases, as labels are.
fn account_label(facts: &dyn Facts) -> String {
    let values = ACCOUNT.map(|part| part.value(facts));
    let Some(last) = values.iter().rposition(Option::is_some) else { return ABSENT.to_owned() };
    // No header's value has a line break in it, so different values never look the same.
    facts.fingerprint(&values.map(Option::unwrap_or_default)[..=last].join(&b'\n')).to_string()
}

/// What tells who pays, at OpenAI and at others. Keys that are no `authorization` have a header each, or a place in the
/// query, and count as one.
const ACCOUNT: [AccountPart; ACCOUNT_PARTS] = [
    AccountPart::Header(credential::HEADERS[0]),
    AccountPart::Key,
    AccountPart::Header(ORGANIZATION),
    AccountPart::Header(PROJECT),
];

#[derive(Clone, Copy)]
enum AccountPart {
    Header(&'static str),
    Key,
}

impl AccountPart {
    fn value(self, facts: &dyn Facts) -> Option<&[u8]> {
        match self {
            Self::Header(name) => facts.header(name),
            Self::Key => {
                let in_header = credential::HEADERS[1..].iter().find_map(|name| facts.header(name));
                in_header.or_else(|| facts.query().and_then(credential::in_query).map(str::as_bytes))
            }
        }
    }
}

/// In lower case, and one word.
fn legible(value: &str) -> String {
    if value.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()) {
        return bounded(value);
    }
    bounded(value).replace(|c: char| c.is_whitespace() || c.is_control(), "_").to_lowercase()
}

/// As it is, unless it is longer than any name: clients must not fill the ledger's memory with keys.
fn bounded(value: &str) -> String {
    if value.len() > LONGEST_KEY { hashed(value.as_bytes()) } else { value.to_owned() }
}

/// Longer values are hashed. A guess: ids of OpenAI have 30 to 70 characters.
const LONGEST_KEY: usize = 128;

fn hashed(value: &[u8]) -> String {
    Fingerprint::of(value).to_string()
}

/// The text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is \"path.NAME\", \"header.NAME\", \"body.FIELD\", \"account\" or \"endpoint\"")]
pub struct ParseKeyError;

impl FromStr for KeyPart {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        match text.split_once('.') {
            Some(("path", name)) if !name.is_empty() => Ok(Self::Path(name.into())),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_ascii_lowercase().into())),
            Some(("body", field)) if !field.is_empty() => Ok(Self::Body(field.into())),
            None if text == "account" => Ok(Self::Account),
            None if text == "endpoint" => Ok(Self::Endpoint),
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
            Self::Endpoint => f.write_str("endpoint"),
        }
    }
}
