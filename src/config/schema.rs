//! The JSON Schema of the configuration, for editors, and the settings that it lists.

use serde_json::{Map, Value};

/// The JSON Schema of `tidegate.toml`, made of the types of the file and the comments of [`DEFAULT`](super::DEFAULT).
pub const SCHEMA: &str = include_str!("../../config/tidegate.schema.json");

/// How the value of a setting is written in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingKind {
    /// As it is.
    Text,
    /// With commas between, or as a list in TOML.
    List,
    /// As in TOML: a number, true or false, or an inline table.
    Toml,
}

impl SettingKind {
    fn of(schema: &Value) -> Self {
        match schema["type"].as_str() {
            Some("array") => Self::List,
            Some("boolean" | "integer" | "number" | "object") => Self::Toml,
            _ => Self::Text,
        }
    }

    /// What a value of it looks like.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "expected a text",
            Self::List => "expected values with commas between them, as in 300/min,10/s",
            Self::Toml => "expected a number, true or false, or a table as in { web = 3 }",
        }
    }
}

/// Every setting but routes, those of pools for each of these.
pub(super) fn known_settings(pools: &[String]) -> Vec<(Vec<String>, SettingKind)> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut known = Vec::new();
    for (name, schema) in properties(&schema).filter(|(name, _)| *name != "routes") {
        let of_pools = &schema["additionalProperties"];
        if name == "pools" {
            for pool in pools {
                let keys = properties(of_pools);
                known.extend(
                    keys.map(|(key, kind)| (vec![name.clone(), pool.clone(), key.clone()], SettingKind::of(kind))),
                );
            }
        } else if schema["properties"].is_object() {
            let keys = properties(schema);
            known.extend(keys.map(|(key, kind)| (vec![name.clone(), key.clone()], SettingKind::of(kind))));
        } else {
            known.push((vec![name.clone()], SettingKind::of(schema)));
        }
    }
    known
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flat_map(Map::iter)
}

/// As the file may write a size.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum Size {
    Bytes(u64),
    Text(String),
}

#[cfg(test)]
mod tests;
