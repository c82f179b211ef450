use std::time::Duration;

use super::LimitFigures;
use super::time::{self, DAY, MINUTE};
use crate::limit::Unit;

/// The message of a refusal.
///
/// `Rate limit reached for gpt-4o in organization org-… on tokens per min (TPM): Limit 30000, Used 28039, Requested 3906.
/// Please try again in 3.89s.`
pub(super) struct RefusalMessage<'a> {
    message: &'a str,
    lower: String,
}

/// What comes before the name of a model; these texts are those of docs/upstream.md §4.1.
const BEFORE_FAMILY: [&str; 2] = ["limit reached for ", "request too large for "];
/// What comes after it.
const AFTER_FAMILY: [&str; 6] = [" in organization", " in project", " service tier", " on ", ". ", ": "];
/// Between the model and the family that shares its limit: `gpt-4.1 (for limit gpt-4.1-long-context)`.
const FAMILY_OF_MODEL: &str = "(for limit ";

/// What comes before the time to wait: OpenAI, Azure, Google; then GitHub Models, ChatGPT's plans and others
/// (docs/upstream.md §4.1 and §7).
const BEFORE_WAIT: [&str; 10] = [
    "again in ",
    "again after ",
    "retry after ",
    "retry in ",
    "wait ",
    "wait for ",
    "reset in ",
    "resets in ",
    "reset after ",
    "available in ",
];

/// Limits by their short names, where a message has no ` per `: Moonshot (docs/upstream.md §7).
const SHORT_NAMES: [(&str, Unit, Duration); 4] = [
    ("rpm", Unit::Requests, MINUTE),
    ("tpm", Unit::Tokens, MINUTE),
    ("rpd", Unit::Requests, DAY),
    ("tpd", Unit::Tokens, DAY),
];

/// Of which limit Azure speaks without naming it: `have exceeded token rate limit of your current … pricing tier`.
const TOKENS_OF_AZURE: &str = "exceeded token rate limit";

/// Names of models are shorter. A guess: fine-tuned ones have about 70 characters.
const LONGEST_FAMILY: usize = 128;

impl<'a> RefusalMessage<'a> {
    pub(super) fn of(message: &'a str) -> Self {
        Self { message, lower: message.to_ascii_lowercase() }
    }

    /// Whether it has these words, which are in lower case.
    pub(super) fn says(&self, words: &str) -> bool {
        self.lower.contains(words)
    }

    /// The limit that it names, if it says what is counted, and in which window.
    pub(super) fn figures(&self) -> Option<LimitFigures> {
        let (unit, per, limit) = self.spelled_out().or_else(|| self.named_in_short()).or_else(|| self.of_azure())?;
        let used = self.number_after("used").or_else(|| self.number_after("current"));
        let limit = self.number_after("limit").or(limit);
        Some(LimitFigures { unit, per, limit, used, requested: self.number_after("requested") })
    }

    /// `on tokens per min (TPM)`, `free-models-per-day` (OpenRouter), `5 per 1 minute` (slowapi) or `10 per 60s` (GitHub
    /// Models), with the limit where that comes before.
    fn spelled_out(&self) -> Option<(Unit, Duration, Option<u64>)> {
        let matches = [" per ", "-per-"].into_iter().flat_map(|words| self.lower.match_indices(words));
        matches.into_iter().find_map(|(at, found)| {
            let counted = self.lower[..at].rsplit(' ').next()?;
            let after = &self.lower[at + found.len()..];
            if let Some(unit) = unit(counted) {
                // `of 20,000 input tokens per minute` (Anthropic)
                let mut before = self.lower[..at].rsplit(' ').skip(1).take(2);
                return Some((unit, time::window(after)?, before.find_map(number)));
            }
            let limit = number(counted)?;
            Some((Unit::Requests, time::window(after).or_else(|| time::leading(after))?, Some(limit)))
        })
    }

    /// `organization max RPM: 3` or `TPD rate limit, current: 1526210, limit: 1500000`.
    fn named_in_short(&self) -> Option<(Unit, Duration, Option<u64>)> {
        let is_word = |name: &str| self.lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name);
        let &(name, unit, per) = SHORT_NAMES.iter().find(|(name, ..)| is_word(name))?;
        Some((unit, per, self.number_after(name)))
    }

    fn of_azure(&self) -> Option<(Unit, Duration, Option<u64>)> {
        self.says(TOKENS_OF_AZURE).then_some((Unit::Tokens, MINUTE, None))
    }

    /// The model whose limit it is, or the family of models that shares it.
    pub(super) fn family(&self) -> Option<Box<str>> {
        let start = BEFORE_FAMILY.iter().find_map(|words| Some(self.lower.find(words)? + words.len()))?;
        let ends = AFTER_FAMILY.iter().filter_map(|words| self.lower[start..].find(words));
        let name = &self.message[start..start + ends.min()?];
        let family = name.split_once(FAMILY_OF_MODEL).map_or(name, |(_, family)| family.trim_end_matches(')'));
        let family = family.strip_prefix("model ").unwrap_or(family).trim_matches('`');
        (1..=LONGEST_FAMILY).contains(&family.len()).then(|| family.into())
    }

    /// The longest time that it asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let waits = BEFORE_WAIT.iter().flat_map(|words| self.after(words));
        waits.filter_map(time::leading).max()
    }

    fn number_after(&self, word: &str) -> Option<u64> {
        self.after(word).find_map(leading_number)
    }

    fn after(&self, words: &str) -> impl Iterator<Item = &str> {
        self.lower.match_indices(words).map(|(at, found)| &self.lower[at + found.len()..])
    }
}

/// Images are what a request costs; OpenRouter counts requests for its free models.
fn unit(counted: &str) -> Option<Unit> {
    if counted.ends_with("tokens") {
        return Some(Unit::Tokens);
    }
    ["requests", "images", "free-models"].iter().any(|word| counted.ends_with(word)).then_some(Unit::Requests)
}

/// ` 30000,`, `: 3 / min` or ` of 40,000`.
fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([':', ' ']);
    let text = text.strip_prefix("of ").unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(text.len());
    number(&text[..end])
}

fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}
