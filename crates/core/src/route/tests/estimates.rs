use std::fs;
use std::path::Path;

use crate::route::estimate;

/// How far off it may be for a whole text.
const OFF: f64 = 0.2;

#[test]
fn an_estimate_comes_close_to_what_a_tokenizer_counts() {
    let texts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/tokens/texts"));
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
