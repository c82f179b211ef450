use std::collections::HashMap;

use super::RefusalCause::{self, Billing, Limit, Overload, Ramp, TooLarge};
use super::error_body::ErrorBody;
use super::message::RefusalMessage;

/// What tells a refusal: whatever of this is not empty.
struct MeaningRow {
    statuses: &'static [u16],
    code: &'static str,
    kind: &'static str,
    /// In lower case, anywhere in the message.
    says: &'static str,
    cause: RefusalCause,
}

/// Always a refusal (RFC 6585 §4).
pub(super) const MANY: u16 = 429;
/// A refusal where it says so: it may have been executed (docs/upstream.md §4.2).
pub(super) const UNAVAILABLE: u16 = 503;
/// Anthropic's, and always a refusal: "the API is temporarily overloaded" (docs/upstream.md §7).
pub(super) const OVERLOADED: u16 = 529;

const A429: &[u16] = &[MANY];
const BUSY: &[u16] = &[MANY, UNAVAILABLE, OVERLOADED];

/// The first row that fits decides: by a code, then by the type, then by the message (docs/upstream.md §4.1 and §7, which
/// have the source and the date of each shape).
///
/// A code of `"429"` says no more than the status, and the types of the last rows say no more than that it is a limit.
#[rustfmt::skip]
const ROWS: [MeaningRow; 44] = [
    // What would be read otherwise by a more general row below.
    // OpenRouter: what its provider has refused for everyone.
    row(A429, "",                                  "",                      "temporarily rate-limited upstream", Overload),
    // Google, to clients of Gemini Code Assist.
    row(BUSY, "MODEL_CAPACITY_EXHAUSTED",          "",                      "",                           Overload),
    row(BUSY, "",                                  "RESOURCE_EXHAUSTED",    "no capacity available",      Overload),
    // Google: what money alone can change. `limit: 0` is a model that the tier does not have.
    row(A429, "",                                  "RESOURCE_EXHAUSTED",    "credits are depleted",       Billing),
    row(A429, "",                                  "RESOURCE_EXHAUSTED",    "spending cap",               Billing),
    row(A429, "",                                  "",                      ", limit: 0,",                Billing),
    row(A429, "",                                  "",                      ", limit: 0\n",              Billing),
    // Google: a limit, although the text speaks of billing details.
    row(A429, "",                                  "RESOURCE_EXHAUSTED",    "",                           Limit),
    row(A429, "",                                  "",                      "quota exceeded for metric",  Limit),
    row(&[UNAVAILABLE], "",                        "UNAVAILABLE",           "overloaded",                 Overload),
    row(&[UNAVAILABLE], "",                        "UNAVAILABLE",           "experiencing high demand",   Overload),
    // Alibaba: tokens in a second or a minute, although the code may be OpenAI's for an empty purse.
    row(A429, "",                                  "",                      "allocated quota exceeded",   Limit),
    // Anthropic.
    row(A429, "enforced_spend_limit_reached",      "",                      "",                           Billing),
    row(A429, "",                                  "",                      "specified api usage limits", Billing),

    // OpenAI.
    row(BUSY, "rate_limit_exceeded",               "",                      "request too large",          TooLarge),
    row(BUSY, "rate_limit_exceeded",               "",                      "",                           Limit),
    row(BUSY, "slow_down",                         "",                      "",                           Ramp),
    row(BUSY, "server_is_overloaded",              "",                      "",                           Overload),
    row(BUSY, "resource_unavailable",              "",                      "",                           Overload),
    row(A429, "credit_balance_exhausted",          "",                      "",                           Billing),
    row(A429, "organization_spend_limit_exceeded", "",                      "",                           Billing),
    row(A429, "project_spend_limit_exceeded",      "",                      "",                           Billing),
    row(A429, "organization_usage_limit_exceeded", "",                      "",                           Billing),
    row(A429, "insufficient_quota",                "",                      "",                           Billing),
    row(A429, "billing_not_active",                "",                      "",                           Billing),
    // Z.AI.
    row(A429, "1113",                              "",                      "",                           Billing),
    row(A429, "",                                  "1113",                  "",                           Billing),
    // ByteDance's Ark.
    row(A429, "SetLimitExceeded",                  "",                      "",                           Billing),
    row(A429, "ServerOverloaded",                  "",                      "",                           Overload),

    row(A429, "",                                  "billing_not_active",    "",                           Billing),
    row(A429, "",                                  "insufficient_quota",    "",                           Billing),
    // Moonshot.
    row(A429, "",                                  "exceeded_current_quota_error", "",                    Billing),
    row(BUSY, "",                                  "engine_overloaded_error", "",                         Overload),
    // Anthropic.
    row(BUSY, "",                                  "overloaded_error",      "",                           Overload),
    // Mistral.
    row(A429, "",                                  "service_tier_capacity_exceeded", "",                  Overload),

    row(A429, "",                                  "",                      "request too large",          TooLarge),
    row(A429, "",                                  "",                      "billing details",            Billing),
    row(A429, "",                                  "",                      "insufficient balance",       Billing),
    row(BUSY, "",                                  "",                      "currently overloaded",       Overload),
    row(A429, "",                                  "",                      "resource unavailable",       Overload),
    row(A429, "",                                  "requests",              "",                           Limit),
    row(A429, "",                                  "tokens",                "",                           Limit),
    row(A429, "",                                  "rate_limit_error",      "",                           Limit),
    row(A429, "",                                  "rate_limit_exceeded",   "",                           Limit),
];

const fn row(
    statuses: &'static [u16],
    code: &'static str,
    kind: &'static str,
    says: &'static str,
    cause: RefusalCause,
) -> MeaningRow {
    MeaningRow { statuses, code, kind, says, cause }
}

/// The cause of the first row that fits.
pub(super) fn cause_of(status: u16, error: &ErrorBody, message: &RefusalMessage<'_>) -> Option<RefusalCause> {
    let fits = |row: &&MeaningRow| {
        row.statuses.contains(&status)
            && (row.code.is_empty() || error.codes.iter().any(|code| code == row.code))
            && (row.kind.is_empty() || row.kind == error.kind)
            && message.says(row.says)
    };
    ROWS.iter().find(fits).map(|row| row.cause)
}

/// What the codes of an upstream mean, where it is something else than usual: on Azure `insufficient_quota` can pass (§4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meanings(HashMap<Box<str>, RefusalCause>);

impl Meanings {
    /// The causes of codes; of types, where a refusal has no code but its status.
    pub fn new<C: Into<Box<str>>>(causes: impl IntoIterator<Item = (C, RefusalCause)>) -> Self {
        Self(causes.into_iter().map(|(code, cause)| (code.into(), cause)).collect())
    }

    pub(super) fn of(&self, status: u16, error: &ErrorBody) -> Option<RefusalCause> {
        let is_code = |code: &&String| code.parse() != Ok(status);
        let mut codes = error.codes.iter().filter(is_code).peekable();
        if codes.peek().is_none() {
            return self.0.get(&*error.kind).copied();
        }
        codes.find_map(|code| self.0.get(&**code).copied())
    }
}
