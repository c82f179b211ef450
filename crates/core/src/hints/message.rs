use std::time::Duration;

use super::{LimitFigures, time};
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

/// What comes before the time to wait.
const BEFORE_WAIT: [&str; 4] = ["again in ", "again after ", "retry after ", "retry in "];

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
        let (unit, per) = self.lower.match_indices(" per ").find_map(|(at, found)| {
            let counted = self.lower[..at].rsplit(' ').next()?;
            Some((unit(counted)?, time::window(&self.lower[at + found.len()..])?))
        })?;
        let used = self.number_after("used").or_else(|| self.number_after("current"));
        Some(LimitFigures {
            unit,
            per,
            limit: self.number_after("limit"),
            used,
            requested: self.number_after("requested"),
        })
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

/// Images are what a request costs.
fn unit(counted: &str) -> Option<Unit> {
    if counted.ends_with("tokens") {
        return Some(Unit::Tokens);
    }
    (counted.ends_with("requests") || counted.ends_with("images")).then_some(Unit::Requests)
}

/// ` 30000,`, `: 3 / min` or ` of 40,000`.
fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([':', ' ']);
    let text = text.strip_prefix("of ").unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(text.len());
    text[..end].replace(',', "").parse().ok()
}
