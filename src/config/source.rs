use std::fmt;
use std::path::PathBuf;

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The built-in one, [`DEFAULT`](super::DEFAULT).
    BuiltIn,
    /// A text, with what to call it in errors.
    Text(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn => f.write_str("built-in default.toml"),
            Self::Text(name) => f.write_str(name),
        }
    }
}
