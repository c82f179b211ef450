use proptest::collection::vec;
use proptest::prelude::*;

use crate::hints::UsageReader;

const CHAT: &str = r#"{"id": "c", "choices": [{"message": {"content": "my \"usage\": {\"total_tokens\": 1}"}}],
 "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21,
  "prompt_tokens_details": {"cached_tokens": 0, "note": "}\"{"}}, "service_tier": "default"}"#;
const CHUNKS: &str = concat!(
    "data: {\"choices\": [{\"delta\": {\"content\": \"a\"}}], \"usage\": null}\n\n",
    "data: {\"choices\": [], \"usage\" : {\"prompt_tokens\": 9, \"completion_tokens\": 2, \"total_tokens\": 11}}\n\n",
    "data: [DONE]\n\n"
);
const RESPONSES: &str = concat!(
    "event: response.created\ndata: {\"response\": {\"usage\": null}}\n\n",
    "event: response.completed\ndata: {\"response\": {\"usage\": {\"input_tokens\": 37, \"input_tokens_details\": ",
    "{\"cached_tokens\": 0}, \"output_tokens\": 11, \"total_tokens\": 48}}}\n\n"
);
const EMBEDDINGS: &str = r#"{"data": [], "model": "e", "usage":{"prompt_tokens":8,"total_tokens":8}}"#;
const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"message\": {\"usage\": {\"input_tokens\": 25, \"output_tokens\": 1}}}\n\n",
    "event: message_delta\ndata: {\"delta\": {}, \"usage\": {\"output_tokens\": 15}}\n\n"
);
const BODIES: [(&str, Option<u64>); 14] = [
    (CHAT, Some(21)),
    (CHUNKS, Some(11)),
    (RESPONSES, Some(48)),
    (EMBEDDINGS, Some(8)),
    (ANTHROPIC, Some(40)),
    (r#"{"usage": {"input_tokens": 3, "output_tokens": 4}}"#, Some(7)),
    (r#"{"usage": {"prompt_tokens": 3, "completion_tokens": null}}"#, Some(3)),
    (r#"{"usage": {"total_tokens": 5}, "x": {"usage": {"type": "duration", "seconds": 3}}}"#, Some(5)),
    (r#"{"usage": null, "type": "usage", "a": ["usage", {"total_tokens": 5}]}"#, None),
    (r#"{"usage": {"total_tokens": -5}, "b": {"usage": {"total_tokens": "5"}}}"#, None),
    (r#"{""usage"usage"usage":{"total_tokens":5}}"#, Some(5)),
    (r#"{"usage""usage":{"total_tokens":5}}"#, Some(5)),
    (r#"{"usage": {"output_tokens": 4}, "x": {"usage": {"input_tokens": 3}}}"#, Some(7)),
    ("", None),
];

fn total<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Option<u64> {
    let mut reader = UsageReader::default();
    pieces.into_iter().for_each(|piece| reader.push(piece));
    reader.total()
}

#[test]
fn what_an_answer_has_cost_is_found_wherever_it_is_cut() {
    for (body, expected) in BODIES {
        let body = body.as_bytes();
        assert_eq!(total([body]), expected, "{}", String::from_utf8_lossy(body));
        assert_eq!(total(body.chunks(1)), expected, "byte by byte");
        for cut in 0..body.len() {
            assert_eq!(total([&body[..cut], &body[cut..]]), expected, "cut at {cut}");
        }
    }
}

#[test]
fn a_usage_object_without_end_is_given_up_and_the_next_one_is_read() {
    let padded = |padding: usize| format!(r#"{{"usage": {{"total_tokens": 5, "x": "{}"}}}}"#, "x".repeat(padding));
    assert_eq!(total([padded(4_000).as_bytes()]), Some(5));
    assert_eq!(total([padded(5_000).as_bytes()]), None);
    assert_eq!(total([padded(5_000).as_bytes(), EMBEDDINGS.as_bytes()]), Some(8));
}

/// Pieces of which bodies are made that are nearly right.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let scraps = ["\"", "usage", "\"usage\"", ":", " ", "{", "}", "\\", "\"total_tokens\":", "7", ",", "\"usa", "null"];
    let scrap = prop_oneof![
        9 => prop::sample::select(scraps.to_vec()).prop_map(|scrap| scrap.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(scrap, 0..60).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn the_same_is_found_in_whatever_pieces_it_comes(body in scraps(), size in 1..9_usize) {
        prop_assert_eq!(total([&*body]), total(body.chunks(size)));
    }
}
