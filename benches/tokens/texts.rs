use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

/// Texts of one kind.
pub(super) struct Kind {
    pub(super) name: &'static str,
    text: String,
}

impl Kind {
    /// Windows into the text, which overlap where it is short. The same ones every time.
    pub(super) fn windows(&self, many: usize) -> Vec<&str> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..many).map(|_| self.window(&mut random)).collect()
    }

    fn window(&self, random: &mut fastrand::Rng) -> &str {
        let len = random.usize(500..self.text.len().min(4000));
        let start = self.text.floor_char_boundary(random.usize(..=self.text.len() - len));
        &self.text[start..self.text.floor_char_boundary(start + len)]
    }
}

/// This repository's own texts, classics, and noise.
pub(super) fn kinds() -> Vec<Kind> {
    let kind = |name, text: &str| Kind { name, text: text.to_owned() };
    vec![
        kind("English, novels", include_str!("texts/english.txt")),
        kind("English, Markdown", include_str!("../../README.md")),
        kind("German", include_str!("texts/german.txt")),
        kind("French", include_str!("texts/french.txt")),
        kind("Russian", include_str!("texts/russian.txt")),
        kind("Chinese", include_str!("texts/chinese.txt")),
        kind("Japanese", include_str!("texts/japanese.txt")),
        kind("Korean", include_str!("texts/korean.txt")),
        kind("Rust", include_str!("../../crates/core/src/scheduler/state.rs")),
        kind("Rust, tests", include_str!("../../crates/core/src/queue/tests.rs")),
        kind("Python", include_str!("../../tests/sdk/python/test_assistants.py")),
        kind("JavaScript", include_str!("../../tests/sdk/node/sdk.test.mjs")),
        kind("TOML", include_str!("../../config/default.toml")),
        kind("TSV", include_str!("../../tests/operations.tsv")),
        Kind { name: "JSON, compact", text: operations().to_string() },
        Kind { name: "JSON, indented", text: format!("{:#}", operations()) },
        Kind { name: "base64, in lines", text: in_lines(&BASE64_STANDARD.encode(noise())) },
    ]
}

/// The table of operations as JSON.
fn operations() -> serde_json::Value {
    let rows = include_str!("../../tests/operations.tsv").lines().enumerate();
    rows.map(|(line, row)| json!({ "line": line, "columns": row.split('\t').collect::<Vec<_>>() })).collect()
}

fn noise() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(11);
    (0..12_000).map(|_| random.u8(..)).collect()
}

/// Of 76 letters, as in mail (RFC 2045 §6.8). In one piece it would be taken for a file.
fn in_lines(base64: &str) -> String {
    base64.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect()
}
