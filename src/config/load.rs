use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, Deserializer};

use super::change::changes;
use super::environment::{Environment, EnvironmentSetting};
use super::hash::hash;
use super::overlay::overlay;
use super::redact::redacted;
use super::source::Source;
use super::variables::Used;
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

/// How long a configuration may be, in bytes. A guess: 40,000 routes.
const LONGEST: u64 = 8 << 20;

/// Opens a file to read it. A pipe in the file system may never be written; one that the shell hands over is.
fn open(path: &Path) -> io::Result<File> {
    let is_handed = path.starts_with("/dev") || path.starts_with("/proc");
    if !is_handed && path.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is a named pipe: redirect it, and write --config -"));
    }
    File::open(path)
}

fn read_text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than 8 MiB"));
    }
    Ok(text)
}

impl Config {
    /// Reads the named file, else the first that is found, else takes the built-in one. Settings of the environment win over
    /// those of the file.
    ///
    /// # Errors
    /// [`LoadError`]: a file that is named or found must be readable and valid.
    pub fn load(named: Option<&Path>) -> Result<Self, LoadError> {
        let environment = Environment::of_process();
        // A file that is there and cannot be looked at is an error, not a reason to go on without it.
        let found = || PLACES.iter().map(Path::new).find(|path| path.try_exists().unwrap_or(true));
        let Some(path) = named.or_else(found) else {
            // An empty file keeps the built-in pools and routes, and they may be left without an effect.
            let text = if environment.is_used() { "" } else { DEFAULT };
            return Ok(Self::parse_with(&Source::BuiltIn, text, &environment)?);
        };
        let unreadable = |error| LoadError::Unreadable { path: path.to_owned(), error };
        if path == Path::new("-") {
            let text = read_text(std::io::stdin()).map_err(unreadable)?;
            return Ok(Self::parse_with(&Source::Text("standard input".to_owned()), &text, &environment)?);
        }
        let text = open(path).and_then(read_text).map_err(unreadable)?;
        Ok(Self::parse_with(&Source::File(path.to_owned()), &text, &environment)?)
    }

    /// Reads a text, without an environment. Unless it says `extends = "none"`, it changes the pools and routes of [`DEFAULT`]
    /// that it names and keeps the others.
    ///
    /// # Errors
    /// [`Invalid`] lists everything that is wrong with it.
    pub fn parse(source: &Source, text: &str) -> Result<Self, Invalid> {
        Self::parse_with(source, text, &Environment::default())
    }

    /// Reads a text and the settings of an environment, which win over it.
    ///
    /// # Errors
    /// [`Invalid`] lists everything that is wrong with either.
    ///
    /// # Panics
    /// If [`DEFAULT`] itself is not well-formed, which a test rules out.
    pub fn parse_with(source: &Source, text: &str, environment: &Environment) -> Result<Self, Invalid> {
        // Before the table, which borrows from it.
        let variables: String;
        let (mut sources, mut used) = (Sources::default(), Used::default());
        sources.push(source.to_string(), redacted(text));
        let invalid = |sources: &Sources, used: &Used, problems: Vec<Problem>| {
            let problems = problems.into_iter().map(|problem| used.concealed(problem)).collect();
            Invalid::of_sources(sources.clone(), problems)
        };
        let malformed = |error| vec![malformed(&error)];
        let mut table = DeTable::parse(text).map_err(|error| invalid(&sources, &used, malformed(error)))?;
        used.expand(table.get_mut(), environment);
        let settings = environment_settings(environment, table.get_ref(), &mut used);
        if !settings.is_empty() {
            let from =
                sources.push("environment".to_owned(), settings.iter().map(EnvironmentSetting::shown_line).collect());
            variables = " ".repeat(from) + &settings.iter().map(EnvironmentSetting::line).collect::<String>();
            let mut line = from;
            for setting in &settings {
                used.problems.extend(setting.put(table.get_mut(), &variables, line).err());
                line += setting.line().len();
            }
        }
        let problems = std::mem::take(&mut used.problems);
        if !problems.is_empty() {
            return Err(invalid(&sources, &used, problems));
        }
        let built_in_from = sources.push(Source::BuiltIn.to_string(), redacted(DEFAULT));
        // So its places are those of its source.
        let built_in = " ".repeat(built_in_from) + DEFAULT;
        let built_in = DeTable::parse(&built_in).expect("the built-in configuration is well-formed").into_inner();
        let is_whole = table.get_ref().get("extends").is_some_and(|extends| extends.get_ref().as_str() == Some("none"));
        let changes = changes(table.get_ref(), &built_in, &sources, is_whole);
        if !is_whole {
            overlay(table.get_mut(), built_in);
        }
        let file = file::File::deserialize(Deserializer::from(table))
            .map_err(|error| invalid(&sources, &used, malformed(error)))?;
        let hash = hash(&(text.to_owned() + &settings.iter().map(EnvironmentSetting::shown_line).collect::<String>()));
        let environment = used.names.clone();
        let origin = check::Origin { source, hash, changes, environment, sources: &sources, built_in_from };
        check::validate(origin, &file).map_err(|problems| invalid(&sources, &used, problems))
    }
}

/// The settings of the environment, whose pools may be those of the file or the built-in ones.
fn environment_settings<'e>(
    environment: &'e Environment,
    file: &DeTable<'_>,
    used: &mut Used,
) -> Vec<EnvironmentSetting<'e>> {
    if !environment.is_used() {
        return Vec::new();
    }
    let built_in = DeTable::parse(DEFAULT).expect("the built-in configuration is well-formed").into_inner();
    let pools: Vec<String> = [file, &built_in].into_iter().flat_map(pool_names).collect();
    let (settings, problems) = environment.settings(&pools);
    used.problems.extend(problems);
    for setting in &settings {
        used.note(
            setting.variable,
            if setting.is_secret() { setting.value } else { "" },
            format!("${}", setting.variable),
        );
    }
    settings
}

fn pool_names(table: &DeTable<'_>) -> Vec<String> {
    let pools = table.get("pools").and_then(|pools| pools.get_ref().as_table());
    pools.into_iter().flatten().map(|(name, _)| name.get_ref().to_string()).collect()
}

/// Where every key is explained.
const KEYS: &str = "see `tidegate init` for every key there is, with its meaning";

fn malformed(error: &toml::de::Error) -> Problem {
    Problem::malformed(error.message(), error.span().unwrap_or(0..0), KEYS)
}
