use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use crate::route::Body;

fn read(json: &str) -> Body<'_> {
    Body::read(json.as_bytes(), Some("application/json")).expect("JSON")
}

fn tokens(json: &str) -> u32 {
    read(json).tokens()
}

#[test]
fn a_field_is_found_wherever_it_stands() {
    for json in [r#"{"model":"m","a":{}}"#, r#"{"a":[{"b":[1]}],"model":"m"}"#, r#" {"a":1, "model" : "m","b":null} "#]
    {
        assert_eq!(read(json).text("model"), Some("m"), "{json}");
    }
}

#[test]
fn a_field_within_another_is_not_the_bodys() {
    let body = r#"{"messages":[{"model":"a","content":"\"model\":\"b\""}],"metadata":{"model":"c","ids":[1]}}"#;
    assert_eq!((read(body).text("model"), read(body).array_len("ids")), (None, 0));
}

#[test]
fn of_two_fields_with_one_name_the_later_counts() {
    assert_eq!(read(r#"{"model":"a","model":"b"}"#).text("model"), Some("b"));
    assert_eq!(read(r#"{"model":"a","model":1}"#).text("model"), None);
}

#[test]
fn an_escape_is_read_as_what_it_stands_for() {
    assert_eq!(read(r#"{"mod\u0065l":"gpt\u002d4\n\ud83d\ude00"}"#).text("model"), Some("gpt-4\n😀"));
}

#[test]
fn an_array_is_as_long_as_it_has_elements() {
    let body = read(r#"{"ids":["a",{"b":[1,2,3]},[4,5]],"none":[],"text":"abc"}"#);
    assert_eq!(["ids", "none", "text", "missing"].map(|name| body.array_len(name)), [3, 0, 0, 0]);
}

#[test]
fn an_empty_body_has_no_fields_and_costs_nothing() {
    let body = Body::read(b"", None).expect("empty");
    assert_eq!((body.text("model"), body.array_len("ids"), body.tokens()), (None, 0, 0));
}

#[test]
fn what_is_no_whole_json_says_nothing() {
    for broken in [
        "{",
        "{\"model\":\"m\"",
        "{\"model\":\"m\"} x",
        "model=m",
        "\u{1f}\u{8b}",
        "{\"a\":\"\\x\"}",
        "{\"a\":1,}",
        "[1,]",
        "{\"a\" 1}",
        "{\"a\":tru}",
        "{\"a\":-}",
        "{\"a\":[1 2]}",
        "{\"a\":[}",
        "{\"a\":{]}",
    ] {
        assert_eq!(Body::read(broken.as_bytes(), None), None, "{broken}");
    }
    assert_eq!(Body::read(b"{\"model\":\"\xff\"}", None), None);
    assert_eq!(Body::read("[".repeat(100_000).as_bytes(), None), None);
}

#[test]
fn a_stream_is_wanted_only_where_it_is_asked_for() {
    let streams = |json| read(json).streams();
    assert!(streams(r#"{"stream":true}"#));
    assert!(!streams(r#"{"stream":false}"#) && !streams(r#"{"stream":"true"}"#) && !streams("{}"));
}

#[test]
fn the_output_costs_its_cap_for_each_answer() {
    for (json, output) in [
        ("{}", 16),
        (r#"{"n":3}"#, 48),
        (r#"{"max_tokens":100}"#, 100),
        (r#"{"max_completion_tokens":100,"max_tokens":50}"#, 100),
        (r#"{"max_output_tokens":100}"#, 100),
        (r#"{"max_tokens":100,"n":3}"#, 300),
        (r#"{"max_tokens":100,"n":3,"best_of":5}"#, 500),
        (r#"{"max_tokens":null,"n":null}"#, 16),
        (r#"{"max_tokens":-1}"#, 16),
        (r#"{"max_tokens":18446744073709551615,"n":18446744073709551615}"#, u32::MAX),
    ] {
        assert_eq!(tokens(json), output, "{json}");
    }
}

#[test]
fn each_message_costs_four_tokens_more_than_its_text() {
    let (one, two) = (r#"{"messages":[{"content":"hello"}]}"#, r#"{"input":[{"content":"hello"},{"role":"user"}]}"#);
    assert_eq!(tokens(one), tokens(r#"{"prompt":"hello"}"#) + 4);
    assert_eq!(tokens(two), tokens(one) + 4);
}

#[test]
fn what_the_model_does_not_read_costs_nothing() {
    let body =
        r#"{"model":"a long name","metadata":{"note":"of some length","n":[1]},"user":"somebody","temperature":1}"#;
    assert_eq!(tokens(body), tokens("{}"));
}

#[test]
fn the_names_in_a_schema_cost_as_its_texts_do() {
    let tools = |name: &str| tokens(&format!(r#"{{"tools":[{{"parameters":{{"{name}":{{}}}}}}]}}"#));
    assert!(tools("a_much_longer_name_than_the_other") > tools("name") + 5);
}

#[test]
fn a_prompt_of_tokens_costs_as_many_as_it_has() {
    assert_eq!(tokens(r#"{"input":[[1,22,333],[4444]]}"#), 4 + 16);
}

/// A PNG of this size, as base64 of about this length.
fn png(width: u32, height: u32, length: usize) -> String {
    let head = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &width.to_be_bytes(), &height.to_be_bytes()].concat();
    BASE64_STANDARD.encode(head) + &noise(length)
}

/// Base64 that says nothing of itself.
fn noise(length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(3);
    BASE64_STANDARD.encode(std::iter::repeat_with(|| random.u8(..)).take(length / 4 * 3).collect::<Vec<u8>>())
}

/// What this content of a message costs, beside the message.
fn content(model: &str, content: &str) -> u32 {
    tokens(&format!(r#"{{"messages":[{{"role":"user","content":[{content}]}}],"model":"{model}"}}"#)) - 4 - 16
}

#[test]
fn images_cost_by_size_detail_and_model() {
    let long = png(1024, 1024, 40_000);
    let parts = [
        format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{long}","detail":"high"}}}}"#),
        format!(r#"{{"type":"image_url","image_url":{{"detail":"auto","url":"data:image/png;base64,{long}"}}}}"#),
        format!(r#"{{"type":"input_image","image_url":"data:image/png;base64,{long}"}}"#),
        r#"{"type":"image_url","image_url":{"url":"https://example.com/a/long/path/to/an/image.png"}}"#.to_owned(),
        r#"{"type":"input_image","file_id":"file-6F2ksmvXxt4VdoqmHRw6kL"}"#.to_owned(),
        format!(r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{long}"}}}}"#),
        format!(r#"{{"type":"image","data":"{long}","mimeType":"image/png"}}"#),
        format!(r#"{{"text":"data:image/png;base64,{long}"}}"#),
        format!(r#"{{"type":"image_generation_call","result":"{}"}}"#, noise(40_000)),
        format!(r#"{{"image":"{}"}}"#, noise(40_000)),
        format!(r#"{{"image":"{}"}}"#, long.replace('/', "\\/")),
    ];
    for part in parts {
        assert_eq!(content("gpt-4o", &part), 765, "{}", &part[..60]);
    }
    let small = |detail| {
        let image = png(512, 512, 4_000);
        format!(r#"{{"type":"input_image","detail":"{detail}","image_url":"data:image/png;base64,{image}"}}"#)
    };
    assert_eq!([small("high"), small("low")].map(|part| content("gpt-4o", &part)), [255, 85]);
    assert_eq!([small("high"), small("low")].map(|part| content("gpt-5", &part)), [210, 70]);
    assert_eq!(content("gpt-4o", &[small("low"), small("high")].join(",")), 340);
}

#[test]
fn sounds_files_and_sealed_texts_cost_by_length() {
    let base64 = noise(400_000);
    let parts = [
        (format!(r#"{{"type":"input_audio","input_audio":{{"data":"{base64}","format":"mp3"}}}}"#), 180),
        (
            format!(
                r#"{{"type":"file","file":{{"file_data":"data:application/pdf;base64,{base64}","filename":"a"}}}}"#
            ),
            7_500,
        ),
        (format!(r#"{{"type":"video_url","video_url":{{"url":"data:video/mp4;base64,{base64}"}}}}"#), 750),
        (format!(r#"{{"type":"reasoning","summary":[],"encrypted_content":"gAAAAAB{base64}"}}"#), 25_000),
        (format!(r#"{{"type":"text","text":"data:text/plain;base64,{base64}"}}"#), 75_000),
    ];
    for (part, expected) in parts {
        assert_eq!(content("gpt-4o", &part), expected, "{}", &part[..60]);
    }
    // A second of sound with 24,000 samples of two bytes.
    let wave =
        [&b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0"[..], &24_000_u32.to_le_bytes(), &48_000_u32.to_le_bytes()];
    let wave = BASE64_STANDARD.encode([wave.concat(), vec![0; 48_000 * 3 - 32]].concat());
    assert_eq!(content("gpt-4o", &format!(r#"{{"input_audio":{{"data":"{wave}","format":"wav"}}}}"#)), 30);
}

#[test]
fn long_base64_within_a_text_is_no_text() {
    let image = png(512, 512, 40_000);
    let json = serde_json::json!([{"type": "image", "data": image, "mimeType": "image/png"}]).to_string();
    let output = serde_json::json!({"type": "function_call_output", "output": json});
    assert!((255..300).contains(&content("gpt-4o", &output.to_string())), "{}", content("gpt-4o", &output.to_string()));
    for text in ["af3".repeat(1_000), "A".repeat(3_000), "a_long_name".repeat(300)] {
        assert!(content("gpt-4o", &serde_json::json!({ "text": text }).to_string()) >= 500, "{}", &text[..20]);
    }
}

#[test]
fn plain_text_where_files_stand_costs_as_text() {
    let text = "Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about a little.";
    let plain = content("claude", &format!(r#"{{"type":"text","text":"{text}"}}"#));
    let document =
        format!(r#"{{"type":"document","source":{{"type":"text","media_type":"text/plain","data":"{text}"}}}}"#);
    assert_eq!(content("claude", &document), plain);
}

#[test]
fn odd_json_tells_its_model() {
    let deep = format!("{}1{}", r#"{"properties":{"a":"#.repeat(300), "}}".repeat(300));
    let bodies = [
        r#"{"messages":[{"content":"half \ud83d of it"}],"model":"m"}"#.to_owned(),
        "\u{feff}{\"model\":\"m\"}".to_owned(),
        "{\"messages\":[{\"content\":\"tab\tand\u{1}\"}],\"model\":\"m\"}".to_owned(),
        format!(r#"{{"tools":[{{"parameters":{deep}}}],"model":"m"}}"#),
        format!(r#"{{"input":{}{},"model":"m"}}"#, "[".repeat(5_000), "]".repeat(5_000)),
    ];
    for body in bodies {
        assert_eq!(read(&body).text("model"), Some("m"), "{}", &body[..40.min(body.len())]);
    }
}

proptest! {
    #[test]
    fn no_body_breaks_it(bytes: Vec<u8>, text: String, content_type: Option<String>) {
        drop(Body::read(&bytes, content_type.as_deref()));
        drop(Body::read(text.as_bytes(), None));
    }

    #[test]
    fn bodies_are_read_as_serde_reads_them(json in json()) {
        let text = json.to_string();
        let expected = json.as_object().is_some() || json.is_array();
        prop_assert_eq!(Body::read(text.as_bytes(), None).is_some(), expected, "{}", text);
        if let Some(fields) = json.as_object() {
            let body = read(&text);
            for (name, value) in fields {
                prop_assert_eq!(body.text(name), value.as_str());
                prop_assert_eq!(body.array_len(name) as usize, value.as_array().map_or(0, Vec::len));
            }
        }
    }

    #[test]
    fn a_text_is_what_serde_reads(name: String, text: String) {
        let json = serde_json::json!({ (name.clone()): text }).to_string();
        let body = read(&json);
        prop_assert_eq!(body.text(&name), Some(&*text));
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            proptest::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}
