use axum::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::collection::ApiResult;
use super::json_body::JsonBody;

/// `POST /v1/embeddings`: the same vector for the same text.
pub(super) async fn create(sent: JsonBody) -> ApiResult {
    let model = sent.required("model")?;
    let usual = if model.ends_with("large") { 3072 } else { 1536 };
    let dimensions = sent.number("dimensions", usual, usual)?;
    let inputs = match sent.0.get("input") {
        Some(Value::Array(inputs)) if inputs.iter().any(|input| !input.is_number()) => inputs.clone(),
        Some(input) => vec![input.clone()],
        None => return Err(ApiError::bad_request("Missing required parameter: 'input'.")),
    };
    let as_base64 = sent.text("encoding_format") == Some("base64");
    let embedding = |(index, input): (usize, &Value)| {
        let vector = vector(&input.to_string(), dimensions);
        let vector = if as_base64 { json!(STANDARD.encode(bytes(&vector))) } else { json!(vector) };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(embedding).collect();
    let (tokens, ..) = sent.usage(0);
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    Ok(Json(json!({ "object": "list", "data": data, "model": model, "usage": usage })))
}

/// A vector of length 1.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let mut chance =
        fastrand::Rng::with_seed(text.bytes().fold(7, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte)));
    let raw: Vec<f32> = (0..dimensions).map(|_| chance.f32() - 0.5).collect();
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    raw.into_iter().map(|value| value / length).collect()
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}
