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

impl TrafficError {
    pub(super) fn at(name: &str, line: usize, what: impl Into<String>) -> Self {
        let (name, at) = (name.to_owned(), format!(":{line}"));
        Self::Recording { name, at, what: what.into(), mend: WHAT_IT_IS }
    }

    pub(super) fn nothing(name: &str, what: impl Into<String>, mend: &'static str) -> Self {
        Self::Recording { name: name.to_owned(), at: String::new(), what: what.into(), mend }
    }
}
