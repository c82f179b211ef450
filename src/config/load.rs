use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, Deserializer};

use super::change::changes;
use super::hash::hash;
use super::overlay::overlay;
use super::redact::redacted;
use super::source::Source;
use super::{Config, DEFAULT, check, file};
use crate::problem::{Invalid, Problem, Sources};

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
        if path == Path::new("-") {
            return Self::read(std::io::stdin());
        }
        let unreadable = |error| LoadError::Unreadable { path: path.to_owned(), error };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Ok(Self::parse(&Source::File(path.to_owned()), &text)?)
    }

    fn read(mut input: impl std::io::Read) -> Result<Self, LoadError> {
        let mut text = String::new();
        let unreadable = |error| LoadError::Unreadable { path: "-".into(), error };
        input.read_to_string(&mut text).map_err(unreadable)?;
        Ok(Self::parse(&Source::Text("standard input".to_owned()), &text)?)
    }

    /// Reads a text. Unless it says `extends = "none"`, it changes the pools and routes of [`DEFAULT`] that it names and keeps
    /// the others.
    ///
    /// # Errors
    /// [`Invalid`] lists everything that is wrong with it.
    ///
    /// # Panics
    /// If [`DEFAULT`] itself is not well-formed, which a test rules out.
    pub fn parse(source: &Source, text: &str) -> Result<Self, Invalid> {
        let mut sources = Sources::default();
        sources.push(source.to_string(), redacted(text));
        let built_in_from = sources.push(Source::BuiltIn.to_string(), redacted(DEFAULT));
        let invalid = |problems| Invalid::of_sources(sources.clone(), problems);
        let malformed = |error| invalid(vec![malformed(&error)]);
        let mut table = DeTable::parse(text).map_err(malformed)?;
        // So its places are those of the second source.
        let built_in = " ".repeat(built_in_from) + DEFAULT;
        let built_in = DeTable::parse(&built_in).expect("the built-in configuration is well-formed").into_inner();
        let is_whole = table.get_ref().get("extends").is_some_and(|extends| extends.get_ref().as_str() == Some("none"));
        let changes = changes(table.get_ref(), &built_in, &sources, is_whole);
        if !is_whole {
            overlay(table.get_mut(), built_in);
        }
        let file = file::File::deserialize(Deserializer::from(table)).map_err(malformed)?;
        let origin = check::Origin { source, hash: hash(text), changes, sources: &sources, built_in_from };
        check::validate(origin, &file).map_err(invalid)
    }
}

/// Where every key is explained.
const KEYS: &str = "see `tidegate init` for every key there is, with its meaning";

fn malformed(error: &toml::de::Error) -> Problem {
    Problem::malformed(error.message(), error.span().unwrap_or(0..0), KEYS)
}
