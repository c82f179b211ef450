use std::fmt::Write;

/// A path, with or without a query, in which `{name}` is a new text in each request and `{name:N}` one of N texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<PatternPiece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternPiece {
    Text(String),
    Place { name: String, of: u64 },
}

impl Pattern {
    /// The same text in each request.
    #[must_use]
    pub fn literal(target: &str) -> Self {
        Self { pieces: vec![PatternPiece::Text(target.to_owned())] }
    }

    /// Parses a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (place, behind) = after.split_once('}').ok_or("a { that is never closed")?;
            let (name, of) = place.split_once(':').map_or((place, None), |(name, of)| (name, Some(of)));
            let of = of.map_or(Ok(u64::MAX), |of| of.parse().map_err(|_| "behind the colon belongs a number"))?;
            if name.is_empty() || of == 0 {
                return Err("a place is a name, or a name and how many there are");
            }
            pieces.extend([PatternPiece::Text(before.to_owned()), PatternPiece::Place { name: name.to_owned(), of }]);
            rest = behind;
        }
        pieces.push(PatternPiece::Text(rest.to_owned()));
        if text.starts_with('/') { Ok(Self { pieces }) } else { Err("a path begins with a /") }
    }

    /// The target of the request with this number.
    #[must_use]
    pub fn fill(&self, number: u64) -> String {
        self.pieces.iter().fold(String::new(), |mut target, piece| {
            match piece {
                PatternPiece::Text(text) => target.push_str(text),
                PatternPiece::Place { name, of } => drop(write!(target, "{name}-{}", number % of)),
            }
            target
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_another_in_each_request_or_one_of_so_many() {
        let pattern = Pattern::parse("/v1/threads/{thread}/runs/{run:2}/steps").expect("a pattern");
        assert_eq!(pattern.fill(4), "/v1/threads/thread-4/runs/run-0/steps");
        assert_eq!(pattern.fill(5), "/v1/threads/thread-5/runs/run-1/steps");
        assert_eq!(Pattern::literal("/v1/{x}").fill(5), "/v1/{x}");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["v1/x", "/v1/{x", "/v1/{}", "/v1/{x:0}", "/v1/{x:many}"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
