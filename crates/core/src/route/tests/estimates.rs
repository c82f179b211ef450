use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::corpus;
use crate::route::{Body, estimate};

/// How far off it may be for a whole text.
const OFF: f64 = 0.2;

#[test]
fn an_estimate_comes_close_to_what_a_tokenizer_counts() {
    let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/tokens/texts");
    let counts = fs::read_to_string(texts.join("counts.tsv")).expect("the bench writes it");
    assert!(counts.lines().count() >= 7, "hardly any text");
    for line in counts.lines() {
        let (name, count) = line.split_once('\t').expect("two columns");
        let text = fs::read_to_string(texts.join(name)).expect("a text");
        let error = f64::from(estimate(&text)) / count.parse::<f64>().expect("a count") - 1.0;
        assert!(error.abs() <= OFF, "{name}: {:+.1} %", error * 100.0);
    }
}

#[test]
fn up_to_three_digits_are_one_token_more_or_less() {
    assert!((3..=4).contains(&estimate("123456789")), "{}", estimate("123456789"));
}

#[test]
fn no_text_has_no_tokens_and_any_other_has_some() {
    assert_eq!(estimate(""), 0);
    assert!(["a", "1", "?", "ä", "я", "α", "ก", "の", "山", "한", "😀"].iter().all(|text| estimate(text) >= 1));
}

/// How many times off it may be for a whole request: docs/upstream.md §2.2 says why that is enough.
const TIMES_OFF: f64 = 1.5;

/// What the estimate adds where no cap on the output is set.
const UNCAPPED: u32 = 16;

#[test]
fn estimates_of_requests_come_close_to_the_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/tokens");
    let counts = fs::read_to_string(folder.join("requests/counts.tsv")).expect("the bench writes it");
    let counts: HashMap<&str, f64> = counts
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, count)| (name, count.parse().expect("a count")))
        .collect();
    let requests = corpus::requests(&folder);
    assert!(requests.len() >= 60, "hardly any request");
    let mut off = Vec::new();
    for request in &requests {
        let input = Body::read(request.body.as_bytes(), None).expect("JSON").tokens() - UNCAPPED;
        let times = f64::from(input) / counts[&*request.name];
        if !(TIMES_OFF.recip()..=TIMES_OFF).contains(&times) {
            off.push(format!("{} {input} of {}: {times:.2}", request.name, counts[&*request.name]));
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}
