//! A segment of a match that stands for itself. What is a pattern elsewhere is none here, and is refused instead of being
//! compared letter by letter with what no client sends.

use std::fmt::Write;

/// What patterns are made of: globs, regular expressions, and the parameters of other routers.
const MARKS: [char; 12] = ['*', '<', '>', '[', ']', '(', ')', '|', '^', ':', '$', '+'];

/// Those that no literal has. The others are common in names (`ft:gpt-4o`, `c++`) but at the places where they mean more.
const ALWAYS: [char; 9] = ['*', '<', '>', '[', ']', '(', ')', '|', '^'];

/// Whether people take this segment for a pattern.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(ALWAYS) || text.starts_with([':', '$']) || text.contains(".+") || text == "..." || text == "…"
}

/// The segment with its percent-encoded marks as they are; nothing if something else is encoded in it.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        decoded.push(MARKS.into_iter().find(|&mark| mark == char::from(code))?);
        decoded.push_str(&part[2..]);
    }
    Some(decoded)
}

/// The segment as it is written in a match: with its marks percent-encoded, if it would be taken for a pattern.
pub(super) fn encoded(text: &str) -> String {
    if !is_pattern(text) {
        return text.to_owned();
    }
    text.chars().fold(String::new(), |mut encoded, c| {
        if MARKS.contains(&c) {
            // Writing to a text never fails.
            let _ = write!(encoded, "%{:02X}", u32::from(c));
        } else {
            encoded.push(c);
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use crate::route::template::{ParseTemplateError, Segment, Template};

    #[test]
    fn patterns_of_other_languages_are_refused() {
        for segment in [
            "*",
            "**",
            "*.json",
            "file-*",
            ":id",
            "<id>",
            "<path:rest>",
            "[a-z]",
            "[id]",
            "[...rest]",
            ".*",
            ".+",
            "(a|b)",
            "a|b",
            "(.*)",
            "^runs",
            "$id",
            "...",
            "…",
        ] {
            let parsed = format!("POST /v1/{segment}").parse::<Template>();
            let Err(error @ ParseTemplateError::Pattern(_)) = parsed else { panic!("{segment}: {parsed:?}") };
            assert!(error.to_string().contains("{*rest}"), "{segment}: {error}");
        }
        for segment in ["?", "run?", r"\d+", "{id:int}", "{id:[0-9]+}", "{path...}", "{a,b}", "{}", "{*}", "${id}", "#"]
        {
            assert!(format!("POST /v1/{segment}").parse::<Template>().is_err(), "{segment}");
        }
        for method in ["ANY", "ALL", "GET|POST", "**", ".*", "any"] {
            let parsed = format!("{method} /v1/x").parse::<Template>();
            assert!(matches!(parsed, Err(ParseTemplateError::Method(_))), "{method}: {parsed:?}");
        }
    }

    #[test]
    fn names_with_marks_are_literals() {
        for segment in
            ["ft:gpt-4o", "models:generate", "c++", "a$b", "a,b", "a=b", "v1.5", "@me", "~me", "a..b", "it's!"]
        {
            let template = format!("POST /v1/{segment}");
            assert_eq!(template.parse::<Template>().expect(segment).to_string(), template);
        }
    }

    #[test]
    fn encoded_marks_stand_for_themselves() {
        for (written, matched) in
            [("%2A", "*"), ("%2a%2A", "**"), ("%3Aid", ":id"), ("%28a%7Cb%29", "(a|b)"), (".%2B", ".+")]
        {
            let template: Template = format!("POST /v1/{written}").parse().expect(written);
            assert_eq!(template.segments[1], Segment::Literal(matched.into()));
            let shown = template.to_string();
            assert_eq!(shown.to_ascii_lowercase(), format!("post /v1/{}", written.to_ascii_lowercase()));
            assert_eq!(shown.parse(), Ok(template));
        }
        for dead in ["%2F", "%2E", "%", "%2", "%zz", "%25", "%é1"] {
            let parsed = format!("POST /v1/{dead}").parse::<Template>();
            assert_eq!(parsed, Err(ParseTemplateError::Dead(dead.to_owned())), "{dead}");
        }
    }
}
