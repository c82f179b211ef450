//! `${NAME}` in the texts of a file stands for an environment variable, and `$${` for `${` itself.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use crate::problem::Problem;

/// What of the environment a configuration uses.
#[derive(Default)]
pub(super) struct Used {
    /// The names of the variables.
    pub(super) names: Vec<String>,
    /// Values that must not be shown, and what is shown instead.
    hidden: Vec<(String, String)>,
    pub(super) problems: Vec<Problem>,
}

/// A shorter value is no secret, and as a part of other words it would make them illegible.
const SHORTEST_SECRET: usize = 4;

impl Used {
    /// Puts the values of variables into all texts of the file.
    pub(super) fn expand(&mut self, table: &mut DeTable<'_>, environment: &Environment) {
        table.iter_mut().for_each(|(_, value)| self.expand_value(value, environment));
    }

    fn expand_value(&mut self, spanned: &mut Spanned<DeValue<'_>>, environment: &Environment) {
        let span = spanned.span();
        match spanned.get_mut() {
            DeValue::String(text) if text.contains("${") => match self.expanded(text, environment) {
                Ok(expanded) => *text = expanded.into(),
                Err((what, label, mend)) => self.problems.push(Problem::new(what, span, label, mend)),
            },
            DeValue::Array(items) => items.iter_mut().for_each(|item| self.expand_value(item, environment)),
            DeValue::Table(table) => self.expand(table, environment),
            _ => {}
        }
    }

    fn expanded(&mut self, text: &str, environment: &Environment) -> Result<String, (String, String, &'static str)> {
        let mut expanded = String::new();
        let mut left = text;
        while let Some(at) = left.find("${") {
            let (before, mark) = left.split_at(at);
            let rest = &mark[2..];
            if let Some(before) = before.strip_suffix('$') {
                expanded.extend([before, "${"]);
                left = rest;
                continue;
            }
            let name = rest.split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
            let Some(name) = name else {
                let mend = "write ${NAME} for a variable, or $${ for the text ${ itself";
                return Err(("not a variable".to_owned(), "no name and } after ${".to_owned(), mend));
            };
            let Some(value) = environment.get(name) else {
                let mend = "set it, or write $${ for the text ${ itself";
                return Err((format!("{name} is not set"), "no such environment variable".to_owned(), mend));
            };
            self.note(name, value, format!("${{{name}}}"));
            expanded.extend([before, value]);
            left = &rest[name.len() + 1..];
        }
        Ok(expanded + left)
    }

    /// A variable is used, whose value must not be shown.
    pub(super) fn note(&mut self, name: &str, value: &str, shown: String) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
        if value.len() >= SHORTEST_SECRET {
            self.hidden.push((value.to_owned(), shown));
        }
    }

    /// What was said, without the values.
    pub(super) fn concealed(&self, problem: Problem) -> Problem {
        self.hidden.iter().fold(problem, |problem, (value, shown)| problem.concealing(value, shown))
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}
