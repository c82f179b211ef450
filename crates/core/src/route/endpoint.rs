use super::method::method_name;
use super::path::Segments;

/// The method and the path without its ids, in one word: `GET:/v1/files/*/content`. HEAD goes with GET, as it does where
/// a route is found, and case is folded as it is there.
///
/// The name of a model stays where something is asked of it, as each has limits of its own: Azure's
/// `/openai/deployments/gpt-4o/chat/completions` and Google's `/v1beta/models/gemini-2.5-flash:generateContent`.
pub(super) fn endpoint(method: &str, segments: &Segments<'_>) -> String {
    let method = method_name(method);
    let mut endpoint = format!("{}:", if method == "HEAD" { "GET" } else { method });
    let mut before = "";
    for (at, segment) in segments.iter().enumerate() {
        let names_model = MODELS.iter().any(|word| before.eq_ignore_ascii_case(word))
            && (at + 1 < segments.len() || segment.contains(':'));
        endpoint.push('/');
        endpoint.push_str(if is_id(segment) && !names_model { "*" } else { segment });
        before = segment;
    }
    let is_blank = |c: char| c.is_whitespace() || c.is_control();
    let (method, path) = endpoint.split_once(':').unwrap_or_default();
    format!("{method}:{}", path.replace(is_blank, "_").to_lowercase())
}

/// What stands before the name of a model in a path: Azure, Google, and OpenAI's first endpoints.
const MODELS: [&str; 3] = ["deployments", "models", "engines"];

/// Names of endpoints are words; ids have digits in them, or are longer than any word.
fn is_id(segment: &str) -> bool {
    let has_digit = segment.contains(|c: char| c.is_ascii_digit());
    (has_digit && !is_version(segment)) || segment.len() > LONGEST_WORD
}

/// As in `/v1` and `/v1beta`.
pub(super) fn is_version(segment: &str) -> bool {
    let after_v = segment.strip_prefix(['v', 'V']);
    after_v.is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).chars().all(char::is_alphabetic))
}

/// A guess: the longest word in a path of OpenAI has 27 characters, and an id without a digit is rare.
const LONGEST_WORD: usize = 32;
