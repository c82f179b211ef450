use super::traffic::Traffic;
use super::{access_log, har, scenario};
use crate::problem::Invalid;

/// Why a file is no traffic.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// The scenario is invalid.
    #[error(transparent)]
    Scenario(#[from] Invalid),
    /// The recording cannot be read. The message quotes nothing of it, as it may be secret.
    #[error("{name}{at}: {what}; {mend}")]
    Recording {
        /// The file.
        name: String,
        /// The place in it.
        at: String,
        /// What is wrong.
        what: String,
        /// How to mend it.
        mend: &'static str,
    },
}

/// The formats there are.
const WHAT_IT_IS: &str = "a recording is the gate's access log in JSON, a line each request, or a HAR; a scenario is TOML \
                          (docs/simulate.md)";

/// Reads traffic from a scenario, an access log or a HAR; the text decides which it is. `name` is its name in errors.
///
/// # Errors
/// [`TrafficError`]: what is wrong, where, and how to mend it.
pub fn read(name: &str, text: &str) -> Result<Traffic, TrafficError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return Ok(scenario::read(name, text)?);
    }
    if har::is_one(text) { har::read(name, text) } else { access_log::read(name, text) }
}

impl TrafficError {
    pub(super) fn at(name: &str, line: usize, what: impl Into<String>) -> Self {
        let (name, at) = (name.to_owned(), format!(":{line}"));
        Self::Recording { name, at, what: what.into(), mend: WHAT_IT_IS }
    }

    pub(super) fn nothing(name: &str, what: impl Into<String>, mend: &'static str) -> Self {
        Self::Recording { name: name.to_owned(), at: String::new(), what: what.into(), mend }
    }
}
