use super::traffic::Traffic;
use super::{access_log, har, scenario};
use crate::problem::Invalid;

/// Why there is no traffic.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A scenario says what makes no sense.
    #[error(transparent)]
    Scenario(#[from] Invalid),
    /// What was recorded cannot be read. What it says is not shown, as it may be secret.
    #[error("{name}{at}: {what}; {mend}")]
    Recording {
        /// Which file.
        name: String,
        /// Where in it.
        at: String,
        /// What is wrong.
        what: String,
        /// What would help.
        mend: &'static str,
    },
}

/// What a recording that cannot be read may be.
const WHAT_IT_IS: &str = "a recording is the gate's access log in JSON, a line each request, or a HAR; a scenario is TOML \
                          (docs/simulate.md)";

/// Reads traffic from a scenario, from an access log, or from a HAR, as what is in it tells; `name` is what errors call it.
///
/// # Errors
/// [`Unusable`]: what is wrong, where, and what would help.
pub fn read(name: &str, text: &str) -> Result<Traffic, Unusable> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return Ok(scenario::read(name, text)?);
    }
    if har::is_one(text) { har::read(name, text) } else { access_log::read(name, text) }
}

impl Unusable {
    pub(super) fn at(name: &str, line: usize, what: impl Into<String>) -> Self {
        let (name, at) = (name.to_owned(), format!(":{line}"));
        Self::Recording { name, at, what: what.into(), mend: WHAT_IT_IS }
    }

    pub(super) fn nothing(name: &str, what: impl Into<String>, mend: &'static str) -> Self {
        Self::Recording { name: name.to_owned(), at: String::new(), what: what.into(), mend }
    }
}
