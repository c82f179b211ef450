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
    for broken in ["{", "{\"model\":\"m\"", "{\"model\":\"m\"} x", "model=m", "\u{1f}\u{8b}", "{\"a\":\"\\ud800\"}"] {
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

#[test]
fn an_image_costs_the_same_however_long_it_is() {
    let long = "QUJD".repeat(10_000);
    for image in [
        format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{long}","detail":"high"}}}}"#),
        format!(r#"{{"type":"input_image","image_url":"data:image/png;base64,{long}"}}"#),
        r#"{"type":"image_url","image_url":{"url":"https://example.com/a/long/path/to/an/image.png"}}"#.to_owned(),
        format!(r#"{{"type":"input_audio","input_audio":{{"data":"{long}","format":"wav"}}}}"#),
        format!(r#"{{"type":"file","file":{{"file_data":"data:application/pdf;base64,{long}","filename":"a.pdf"}}}}"#),
        format!(r#"{{"text":"data:image/png;base64,{long}"}}"#),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{image}]}}]}}"#);
        assert_eq!(tokens(&body), 4 + 765 + 16, "{}", &image[..40]);
    }
}

proptest! {
    #[test]
    fn no_body_breaks_it(bytes: Vec<u8>, text: String, content_type: Option<String>) {
        drop(Body::read(&bytes, content_type.as_deref()));
        drop(Body::read(text.as_bytes(), None));
    }

    #[test]
    fn a_text_is_what_serde_reads(name: String, text: String) {
        let json = serde_json::json!({ (name.clone()): text }).to_string();
        let body = read(&json);
        prop_assert_eq!(body.text(&name), Some(&*text));
    }
}
