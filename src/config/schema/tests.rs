use std::path::Path;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::*;
use crate::config::{DEFAULT, file};

const PATH: &str = "config/tidegate.schema.json";

#[test]
fn schema_is_made_of_the_types() {
    let of_types = format!("{:#}\n", of_types());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PATH, &of_types).expect("it can be written");
        return;
    }
    assert!(of_types == SCHEMA, "{PATH} is out of date: UPDATE=1 cargo test --lib schema_is_made");
}

#[test]
fn schema_takes_every_valid_file() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let mut files = files("tests/config/valid");
    files.extend(self::files("config"));
    files.extend(self::files("config/providers"));
    assert!(files.len() > 10);
    for (name, text) in files {
        let errors: Vec<_> = schema.iter_errors(&value(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn schema_refuses_unknown_keys_and_types() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for text in [
        "nonsense = 1",
        "[server]\nnonsense = 1",
        "[queue]\nmax_waiting = \"many\"",
        "[queue]\nmax_wait = 30",
        "[pools.models]\nrequests = \"300/min\"",
        "[pools.models]\nshape = \"round\"",
        "[[routes]]\npools = [\"models\"]",
    ] {
        assert!(!schema.is_valid(&value(text)), "{text}");
    }
}

/// Editors show what it says of each setting.
#[test]
fn every_setting_has_a_description() {
    let known = known_settings(&["NAME".to_owned()]);
    assert!(known.len() > 40, "{known:?}");
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    for (path, _) in known {
        let of = match &*path {
            [top] => &schema["properties"][top],
            [section, key] => &schema["properties"][section]["properties"][key],
            [section, _, key] => &schema["properties"][section]["additionalProperties"]["properties"][key],
            _ => unreachable!("{path:?}"),
        };
        assert!(of["description"].as_str().is_some_and(|says| says.len() > 10), "{path:?}: {of}");
    }
}

fn files(folder: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(Path::new(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    files.map(|path| (path.display().to_string(), std::fs::read_to_string(path).expect("a text"))).collect()
}

fn value(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("JSON has the same values")
}

fn of_types() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<file::File>().to_value();
    without_null(&mut schema);
    schema["title"] = json!("Tidegate's configuration");
    for (section, key, value, says) in comments() {
        let of = match &*section {
            "" => &mut schema["properties"][&key],
            "pools.NAME" => &mut schema["properties"]["pools"]["additionalProperties"]["properties"][&key],
            "routes" => &mut schema["properties"]["routes"]["items"]["properties"][&key],
            _ => match section.split_once('.') {
                None => &mut schema["properties"][&section]["properties"][&key],
                Some(_) => continue,
            },
        };
        if of.is_object() {
            of["description"] = json!(says);
            of["examples"] = json!([self::value(&format!("value = {value}"))["value"]]);
        }
    }
    schema
}

/// TOML has no null: what is not written is not there.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("default").is_some() {
                map.remove("default");
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|of| of != "null");
                if let [one] = &types[..] {
                    let one = one.clone();
                    map.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(values)) = map.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if let Some(Value::Array(any)) = map.get_mut("anyOf") {
                any.retain(|of| of["type"] != "null");
                if let [Value::Object(one)] = &any[..] {
                    let one = one.clone();
                    map.remove("anyOf");
                    map.extend(one);
                }
            }
            map.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// What the built-in configuration says of each setting: section, key, value, and the comment that begins behind it.
fn comments() -> Vec<(String, String, String, String)> {
    let mut found: Vec<(String, String, String, String)> = Vec::new();
    let (mut section, mut goes_on) = (String::new(), false);
    for line in DEFAULT.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if line.starts_with("# ---- Pools") {
            "pools.NAME".clone_into(&mut section);
        } else if line.starts_with("# ---- Routes") {
            "routes".clone_into(&mut section);
        } else if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            if !section.starts_with("pools") && !section.starts_with("routes") {
                name.0.clone_into(&mut section);
            }
        } else if let Some((key, value, says)) = setting(bare) {
            // The first comment explains the setting; built-in pools say of theirs where the value is from.
            goes_on = !found.iter().any(|(known, of, ..)| (known, of) == (&section, &key));
            if goes_on {
                found.push((section.clone(), key, value, says));
            }
            continue;
        } else if let (true, Some(more)) = (goes_on, line.strip_prefix("#         ")) {
            let more = more.trim_start_matches([' ', '#']);
            let says = &mut found.last_mut().expect("one is begun").3;
            says.push(' ');
            says.push_str(more);
            continue;
        }
        goes_on = false;
    }
    found
}

fn setting(line: &str) -> Option<(String, String, String)> {
    let (key, rest) = line.split_once(" = ").or_else(|| line.split_once("  = "))?;
    let key = key.trim();
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let (value, says) = rest.split_once("  #").or_else(|| rest.split_once(" # "))?;
    is_key.then(|| (key.to_owned(), value.trim().to_owned(), says.trim().to_owned()))
}
