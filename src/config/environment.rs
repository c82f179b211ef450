//! Settings from the environment: `TIDEGATE_QUEUE_MAX_WAIT` is `max_wait` in `[queue]`, and wins over the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::redact::shown_value;
use super::schema::{SettingKind, known_settings};
use crate::problem::{Problem, did_you_mean};

/// Environment variables by their names.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// A setting that the environment has.
pub(super) struct EnvironmentSetting<'e> {
    pub(super) variable: &'e str,
    pub(super) value: &'e str,
    /// The tables and the key, as in `["queue", "max_wait"]`.
    pub(super) path: Vec<String>,
    kind: SettingKind,
}

/// What the names of all settings begin with.
const PREFIX: &str = "TIDEGATE_";

/// Variables of the sections' names that are flags of `serve`.
const FLAGS: [&str; 1] = ["TIDEGATE_LOG_FORMAT"];

impl Environment {
    /// That of the process. What is no Unicode is left out.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self(std::env::vars_os().filter_map(text).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether some variable may be a setting.
    pub(super) fn is_used(&self) -> bool {
        self.0.keys().any(|name| is_of_a_section(name) || name == "TIDEGATE_MODE" || name == "TIDEGATE_EXTENDS")
    }

    /// The settings that it has, and the variables that are none. An empty variable sets nothing.
    pub(super) fn settings(&self, pools: &[String]) -> (Vec<EnvironmentSetting<'_>>, Vec<Problem>) {
        let known = known_settings(pools);
        let names: BTreeMap<String, _> =
            known.into_iter().map(|(path, kind)| (variable(&path), (path, kind))).collect();
        let mut settings = Vec::new();
        let mut problems = Vec::new();
        for (name, value) in self.0.iter().filter(|(_, value)| !value.is_empty()) {
            match names.get(name) {
                Some((path, kind)) => {
                    settings.push(EnvironmentSetting { variable: name, value, path: path.clone(), kind: *kind });
                }
                None if is_of_a_section(name) => {
                    let meant = did_you_mean(name, names.keys().map(String::as_str)).unwrap_or_default();
                    problems.push(Problem::new(format!("{name} is no setting"), 0..0, "in the environment", meant));
                }
                None => {}
            }
        }
        (settings, problems)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl EnvironmentSetting<'_> {
    /// As it is written in a shell.
    pub(super) fn line(&self) -> String {
        format!("{}={}\n", self.variable, self.value)
    }

    /// The same without what may be secret.
    pub(super) fn shown_line(&self) -> String {
        format!("{}={}\n", self.variable, shown_value(&self.path, self.value))
    }

    /// Whether its value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        shown_value(&self.path, self.value) != self.value
    }

    /// Puts it into the configuration, over what is there. Its line begins at this byte of `text`.
    pub(super) fn put<'t>(&self, table: &mut DeTable<'t>, text: &'t str, line: usize) -> Result<(), Problem> {
        let from = line + self.variable.len() + 1;
        let span = from..from + self.value.len();
        let value = self.typed(&text[span.clone()], from).ok_or_else(|| {
            Problem::new(format!("{} has another type", self.variable), span.clone(), self.kind.expected(), "")
        })?;
        let (key, tables) = self.path.split_last().expect("a setting has a name");
        let mut table = table;
        for name in tables {
            let name = Spanned::new(line..from - 1, Cow::Owned(name.clone()));
            let empty = Spanned::new(line..span.end, DeValue::Table(DeTable::new()));
            match table.entry(name).or_insert(empty).get_mut() {
                DeValue::Table(inner) => table = inner,
                // That the file has no table here is said later.
                _ => return Ok(()),
            }
        }
        table.insert(Spanned::new(line..from - 1, Cow::Owned(key.clone())), Spanned::new(span, value));
        Ok(())
    }

    fn typed<'t>(&self, value: &'t str, from: usize) -> Option<DeValue<'t>> {
        match self.kind {
            SettingKind::Text => Some(DeValue::String(Cow::Borrowed(value))),
            SettingKind::List if !value.trim_start().starts_with('[') => Some(DeValue::Array(list(value, from))),
            SettingKind::List | SettingKind::Toml => {
                let parsed = DeValue::parse(value).ok()?.into_inner();
                let is_list = matches!(parsed, DeValue::Array(_));
                let is_text = matches!(parsed, DeValue::String(_));
                (!is_text && is_list == (self.kind == SettingKind::List)).then(|| moved(parsed, from))
            }
        }
    }
}

/// The parts between commas.
fn list(value: &str, from: usize) -> DeArray<'_> {
    let parts = value.split(',').map(|part| {
        let at = from + (part.as_ptr() as usize - value.as_ptr() as usize);
        let trimmed = part.trim();
        Spanned::new(at..at + part.len(), DeValue::String(Cow::Borrowed(trimmed)))
    });
    parts.collect()
}

/// The same value, with all that is in it so much further on.
fn moved(value: DeValue<'_>, by: usize) -> DeValue<'_> {
    match value {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| moved_span(item, by)).collect()),
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    let span = key.span();
                    (Spanned::new(span.start + by..span.end + by, key.into_inner()), moved_span(value, by))
                })
                .collect(),
        ),
        other => other,
    }
}

fn moved_span(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    Spanned::new(span.start + by..span.end + by, moved(value.into_inner(), by))
}

/// As in `TIDEGATE_POOLS_BATCHES_CREATE_REQUESTS`.
fn variable(path: &[String]) -> String {
    PREFIX.to_owned() + &path.join("_").to_uppercase().replace('-', "_")
}

/// Whether a name begins like that of a setting. Kubernetes sets the addresses of services in every container, and one may be
/// called `tidegate-server`.
fn is_of_a_section(name: &str) -> bool {
    const SECTIONS: [&str; 8] = ["SERVER", "UPSTREAM", "QUEUE", "CLIENTS", "LOG", "STORE", "REPLICAS", "POOLS"];
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let is_address = name.ends_with("_PORT") || name.contains("_PORT_") || name.contains("_SERVICE_");
    let mut heads = SECTIONS.iter().filter_map(|section| rest.strip_prefix(section));
    heads.any(|rest| rest.starts_with('_')) && !is_address && !FLAGS.contains(&name)
}
