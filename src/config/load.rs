use std::path::{Path, PathBuf};

use super::redact::redacted;
use super::source::Source;
use super::{Config, DEFAULT, check, file};
use crate::problem::{Invalid, Problem};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What it says is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Where a file is looked for when none is named.
const PLACES: [&str; 2] = ["tidegate.toml", "/etc/tidegate/tidegate.toml"];

impl Config {
    /// Reads the named file, else the first that is found, else takes the built-in one.
    ///
    /// # Errors
    /// [`LoadError`]: a file that is named or found must be readable and valid.
    pub fn load(named: Option<&Path>) -> Result<Self, LoadError> {
        // A file that is there and cannot be looked at is an error, not a reason to go on without it.
        let found = || PLACES.iter().map(Path::new).find(|path| path.try_exists().unwrap_or(true));
        let Some(path) = named.or_else(found) else {
            return Ok(Self::parse(&Source::BuiltIn, DEFAULT)?);
        };
        let unreadable = |error| LoadError::Unreadable { path: path.to_owned(), error };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Ok(Self::parse(&Source::File(path.to_owned()), &text)?)
    }

    /// Reads a text. One that names neither pools nor routes gets those of [`DEFAULT`].
    ///
    /// # Errors
    /// [`Invalid`] lists everything that is wrong with it.
    ///
    /// # Panics
    /// If [`DEFAULT`] itself is not well-formed, which a test rules out.
    pub fn parse(source: &Source, text: &str) -> Result<Self, Invalid> {
        let invalid = |problems| Invalid::new(source.to_string(), &redacted(text), problems);
        let mut file: file::File = toml::from_str(text).map_err(|error| invalid(vec![malformed(&error)]))?;
        if file.pools.is_none() && file.routes.is_none() {
            let default: file::File = toml::from_str(DEFAULT).expect("the built-in configuration is well-formed");
            file = file::File { pools: default.pools, routes: default.routes, is_built_in: true, ..file };
        }
        check::validate(source.clone(), text, &file).map_err(invalid)
    }
}

/// Where every key is explained.
const KEYS: &str = "see `tidegate init` for every key there is, with its meaning";

fn malformed(error: &toml::de::Error) -> Problem {
    Problem::malformed(error.message(), error.span().unwrap_or(0..0), KEYS)
}
