/// What asks for less than the whole answer, or for another one than other clients got (RFC 9110 §13.1 and §14.2).
const OWN: [&str; 6] = ["if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range"];

/// What says by a word in it that no answer that others have will do: streams, and RFC 9111 §5.2.1.
const SAYS: [(&str, &[&str]); 2] =
    [("accept", &["text/event-stream"]), ("cache-control", &["no-cache", "no-store", "max-age=0"])];

/// Whether a GET with this query and these headers, of names in lower case, wants an answer of its own.
#[must_use]
pub fn wants_its_own<'h>(query: &str, mut headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> bool {
    asks_for_stream(query) || headers.any(|(name, value)| OWN.contains(&name) || says(name, value))
}

fn says(name: &str, value: &[u8]) -> bool {
    let words = SAYS.iter().find(|(header, _)| *header == name).map_or(&[][..], |(_, words)| words);
    let said = || String::from_utf8_lossy(value).to_ascii_lowercase();
    !words.is_empty() && words.iter().any(|word| said().contains(word))
}

/// Whether the query of a target does, as in `?stream=true`.
fn asks_for_stream(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("stream") && !pair.ends_with("=false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_less_or_for_something_fresh_wants_an_answer_of_his_own() {
        let wants = |query: &str, name: &str, value: &str| wants_its_own(query, [(name, value.as_bytes())].into_iter());
        for (query, name, value) in [
            ("", "range", "bytes=0-9"),
            ("", "if-none-match", "\"x\""),
            ("", "accept", "application/json, Text/Event-Stream"),
            ("", "cache-control", "max-age=0"),
            ("limit=1&stream=true", "accept", "*/*"),
            ("stream", "accept", "*/*"),
        ] {
            assert!(wants(query, name, value), "{query} {name}: {value}");
        }
        for (query, name, value) in
            [("", "accept", "*/*"), ("stream=false", "cache-control", "max-age=60"), ("upstream=true", "x-range", "1")]
        {
            assert!(!wants(query, name, value), "{query} {name}: {value}");
        }
    }
}
