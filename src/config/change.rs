//! What a file changes of the built-in pools and routes.

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::overlay::{bases, template};
use crate::problem::Sources;

/// One difference from the built-in configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A setting of a built-in pool or route is different.
    Setting {
        /// Of what, as in `[pools.models]` or `POST /v1/responses`.
        of: String,
        /// Its name and the value that is in force, as in `requests = ["500/min"]`.
        now: String,
        /// The built-in value, if there is one.
        built_in: Option<String>,
    },
    /// A pool or route that the built-in configuration does not have.
    Added(String),
    /// A route that wins over several built-in ones.
    Replaced {
        /// The route.
        by: String,
        /// What it wins over.
        built_in: Vec<String>,
    },
    /// A built-in pool or route that is not in force.
    LeftOut(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { of, now, built_in: Some(before) } => write!(f, "{of} {now}; built-in: {before}"),
            Self::Setting { of, now, built_in: None } => write!(f, "{of} {now}; built-in: none"),
            Self::Added(what) => write!(f, "{what} is new"),
            Self::Replaced { by, built_in } => write!(f, "{by} replaces {}", built_in.join(", ")),
            Self::LeftOut(what) => write!(f, "{what} is left out"),
        }
    }
}

/// Compares the file, before the overlay, with the built-in configuration. `is_whole`: what the file does not name is not
/// in force.
pub(super) fn changes(file: &DeTable<'_>, built_in: &DeTable<'_>, sources: &Sources, is_whole: bool) -> Vec<Change> {
    let mut compared = Compared { sources, is_whole, changes: Vec::new() };
    compared.pools(table(file, "pools"), table(built_in, "pools"));
    compared.routes(list(file, "routes"), list(built_in, "routes"));
    compared.changes
}

struct Compared<'s> {
    sources: &'s Sources,
    is_whole: bool,
    changes: Vec<Change>,
}

impl Compared<'_> {
    fn pools(&mut self, file: Option<&DeTable<'_>>, built_in: Option<&DeTable<'_>>) {
        for (name, pool) in file.into_iter().flatten() {
            let of = format!("[pools.{}]", name.get_ref());
            match built_in.and_then(|pools| pools.get(&**name.get_ref())) {
                Some(before) => self.settings(&of, pool.get_ref(), before.get_ref()),
                None => self.changes.push(Change::Added(of)),
            }
        }
        let is_named = |name: &str| file.is_some_and(|pools| pools.contains_key(name));
        for (name, _) in built_in.into_iter().flatten().filter(|(name, _)| self.is_whole && !is_named(name.get_ref())) {
            self.changes.push(Change::LeftOut(format!("[pools.{}]", name.get_ref())));
        }
    }

    fn routes(&mut self, file: &[Spanned<DeValue<'_>>], built_in: &[Spanned<DeValue<'_>>]) {
        let mut named = vec![false; built_in.len()];
        for route in file.iter().map(Spanned::get_ref) {
            let Some(of) = template(route).map(|template| template.to_string()) else { continue };
            let bases = bases(route, built_in.iter().map(Spanned::get_ref));
            bases.iter().for_each(|&base| named[base] = true);
            match bases[..] {
                [] => self.changes.push(Change::Added(of)),
                [base] => self.settings(&of, route, built_in[base].get_ref()),
                _ => {
                    let built_in = bases.iter().filter_map(|&base| template(built_in[base].get_ref()));
                    let built_in = built_in.map(|template| template.to_string()).collect();
                    self.changes.push(Change::Replaced { by: of, built_in });
                }
            }
        }
        for (route, _) in built_in.iter().zip(named).filter(|(_, is_named)| self.is_whole && !is_named) {
            let left_out = template(route.get_ref()).map(|template| Change::LeftOut(template.to_string()));
            self.changes.extend(left_out);
        }
    }

    fn settings(&mut self, of: &str, now: &DeValue<'_>, built_in: &DeValue<'_>) {
        let (Some(now), Some(built_in)) = (now.as_table(), built_in.as_table()) else { return };
        for (key, value) in now {
            let before = built_in.get(&**key.get_ref()).map(|before| self.text(before));
            let value = self.text(value);
            if before.as_ref() != Some(&value) && key.get_ref() != "match" {
                let now = format!("{} = {value}", key.get_ref());
                self.changes.push(Change::Setting { of: of.to_owned(), now, built_in: before });
            }
        }
    }

    /// A value as it is written, in one line.
    fn text(&self, value: &Spanned<DeValue<'_>>) -> String {
        self.sources.slice(value.span()).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn table<'t>(of: &'t DeTable<'_>, name: &str) -> Option<&'t DeTable<'t>> {
    of.get(name)?.get_ref().as_table()
}

fn list<'t>(of: &'t DeTable<'_>, name: &str) -> &'t [Spanned<DeValue<'t>>] {
    of.get(name).and_then(|routes| routes.get_ref().as_array()).map_or(&[], |routes| &**routes)
}
