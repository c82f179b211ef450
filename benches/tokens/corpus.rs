//! Requests as apps send them, in `requests/requests.jsonl`: a body a line, and what of it costs tokens. Used by the bench,
//! which counts them, and by a test of the estimate, which does without a tokenizer.

use std::path::Path;
use std::{fs, iter};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// A request, and what it costs by the vendors' rules.
pub(super) struct Request {
    pub(super) name: String,
    pub(super) body: String,
    /// What a tokenizer has to count.
    pub(super) texts: Vec<String>,
    /// What is added by rule: pictures, what stands around messages and functions.
    pub(super) by_rule: i64,
}

/// All of them; the folder is `benches/tokens`.
pub(super) fn requests(folder: &Path) -> Vec<Request> {
    let lines = fs::read_to_string(folder.join("requests/requests.jsonl")).expect("the requests");
    lines.lines().map(|line| Request::read(line, folder)).collect()
}

impl Request {
    fn read(line: &str, folder: &Path) -> Self {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let name = line["name"].as_str().expect("a name").to_owned();
        let body = expanded(&line["body"], folder).to_string();
        let body = if name.ends_with("-ascii") { ascii(&body) } else { body };
        let texts = line["texts"].as_array().expect("texts").iter();
        let texts = texts.map(|text| expanded_text(text.as_str().expect("a text"), folder)).collect();
        let by_rule =
            line["fixed"].as_array().expect("rules").iter().map(|rule| rule[0].as_i64().expect("tokens")).sum();
        Self { name, body, texts, by_rule }
    }
}

/// With each `{{…}}` in its texts made into what it stands for.
fn expanded(value: &Value, folder: &Path) -> Value {
    match value {
        Value::String(text) => expanded_text(text, folder).into(),
        Value::Array(values) => values.iter().map(|value| expanded(value, folder)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), expanded(value, folder))).collect(),
        _ => value.clone(),
    }
}

fn expanded_text(text: &str, folder: &Path) -> String {
    let Some((before, rest)) = text.split_once("{{") else { return text.to_owned() };
    let (what, after) = rest.split_once("}}").expect("it ends");
    format!("{before}{}{}", made(what, folder), expanded_text(after, folder))
}

fn made(what: &str, folder: &Path) -> String {
    let words: Vec<&str> = what.split(' ').collect();
    let number = |at: usize| words[at].parse::<u32>().expect("a number");
    match words[0] {
        "text" => {
            let text = fs::read_to_string(folder.join("texts").join(words[1]).with_extension("txt")).expect("a text");
            text.chars().cycle().skip(number(3) as usize).take(number(2) as usize).collect()
        }
        "png" => {
            let (width, height) = (number(1).to_be_bytes(), number(2).to_be_bytes());
            base64(&[&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &width, &height].concat(), number(3))
        }
        "jpeg" => {
            // A segment of 20 bytes, and then the frame.
            let (width, height) = (short(number(1)), short(number(2)));
            let start = [&b"\xff\xd8\xff\xe0\0\x14"[..], &[0; 18], b"\xff\xc0\0\x11\x08", &height, &width].concat();
            base64(&start, number(3))
        }
        "webp" => {
            let (width, height) = ((number(1) - 1).to_le_bytes(), (number(2) - 1).to_le_bytes());
            base64(&[&b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"[..], &width[..3], &height[..3]].concat(), number(3))
        }
        "wav" => {
            let (rate, bytes) = (number(1).to_le_bytes(), (number(1) * 2).to_le_bytes());
            let head = [&b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0"[..], &rate, &bytes].concat();
            base64(&head, number(1) * 2 * number(2))
        }
        "mp3" => base64(b"ID3\x04", number(1)),
        "pdf" => base64(b"%PDF-1.7\n", number(1)),
        "noise" => base64(b"", number(1)),
        other => panic!("{other} is nothing that can be made"),
    }
}

fn short(number: u32) -> [u8; 2] {
    u16::try_from(number).expect("a short number").to_be_bytes()
}

/// So many bytes in all, of which only the first mean anything.
fn base64(head: &[u8], bytes: u32) -> String {
    let mut random = fastrand::Rng::with_seed(5);
    let noise = iter::repeat_with(|| random.u8(..)).take((bytes as usize).saturating_sub(head.len()));
    BASE64_STANDARD.encode(head.iter().copied().chain(noise).collect::<Vec<u8>>())
}

/// As many clients write it: characters beyond ASCII as escapes.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    let escaped = |c: char| match c {
        c if c.is_ascii() => c.to_string(),
        c => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat(),
    };
    json.chars().map(escaped).collect()
}
