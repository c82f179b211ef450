use std::path::{Path, PathBuf};

use super::redact::redacted;
use super::report::{Invalid, Problem};
use super::source::Source;
use super::{Config, DEFAULT, check, file};

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
        let mut file: file::File =
            toml::from_str(text).map_err(|error| invalid(vec![Problem::malformed(&error, KEYS)]))?;
        if file.pools.is_none() && file.routes.is_none() {
            let default: file::File = toml::from_str(DEFAULT).expect("the built-in configuration is well-formed");
            file = file::File { pools: default.pools, routes: default.routes, is_built_in: true, ..file };
        }
        check::validate(source.clone(), text, &file).map_err(invalid)
    }
}

/// What serde and the TOML parser say, and what they mean to someone who writes the file.
const WORDS: [(&str, &str); 18] = [
    ("unknown field", "unknown key"),
    ("missing field", "missing key"),
    ("unknown variant", "unknown value"),
    ("invalid type: map", "invalid type: table"),
    ("invalid type: sequence", "invalid type: list"),
    ("wanted string or table", "invalid type, expected a text in quotes"),
    ("expected a sequence", "expected a list, as in [\"300/min\"] or, for routes, [[routes]]"),
    ("expected a map", "expected tables, as in [pools.NAME]"),
    ("expected a string", "expected a text in quotes"),
    ("expected usize", "expected a whole number from 0 up"),
    ("expected a nonzero usize", "expected a whole number from 1 up"),
    ("expected a nonzero u32", "expected a whole number from 1 to 4294967295"),
    ("expected i64", "expected a whole number"),
    ("expected f64", "expected a number, as in 0.1"),
    ("expected a boolean", "expected true or false"),
    ("expected an integer or string", A_SIZE),
    ("expected integer overflow", A_SIZE),
    ("expected parsable string", A_SIZE),
];

const A_SIZE: &str = "expected a size, as in \"1MiB\" or 65536";

/// Where every key is explained.
const KEYS: &str = "see `tidegate init` for every key there is, with its meaning";

impl Problem {
    /// What is not TOML, or has an unknown key or a value of another type; `keys` says where to read of keys.
    #[must_use]
    pub fn malformed(error: &toml::de::Error, keys: &str) -> Self {
        let said = error.message().trim().to_owned();
        let said = WORDS.iter().fold(said, |said, (theirs, plain)| said.replace(theirs, plain));
        let (what, label) = said.split_at(said.rfind(", expected ").unwrap_or(said.len()));
        let is = |heads: &[&str]| heads.iter().any(|head| what.starts_with(head));
        let mend = if is(&["unknown key", "missing key"]) {
            keys
        } else if is(&["invalid type", "invalid value", "unknown value", "duplicate key"]) {
            ""
        } else {
            "write TOML: [server] for a table, and in it listen = \"127.0.0.1:4290\", with texts in quotes"
        };
        // What was found may be a secret.
        let found = if is(&["invalid type", "invalid value"]) { what.find(['`', '"']) } else { None };
        let what = &what[..found.unwrap_or(what.len())];
        Self::new(what.trim_end(), error.span().unwrap_or(0..0), label.trim_start_matches(", "), mend)
    }
}
