//! Problems in a file that a user wrote, reported as `rustc` reports its own: with the place, what is wrong and a fix.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// All problems of a file, in the order of their places in it.
#[derive(Debug)]
pub struct Invalid {
    sources: Sources,
    problems: Vec<Problem>,
}

/// The texts that together make one configuration. A place is a byte offset: the second text begins where the first ends.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Vec<SourceText>,
}

#[derive(Clone, Debug)]
struct SourceText {
    origin: String,
    text: String,
    from: usize,
}

/// One problem.
#[derive(Debug)]
pub struct Problem {
    what: String,
    at: Range<usize>,
    label: String,
    mend: String,
}

impl Problem {
    /// Where it is.
    #[must_use]
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// The same with this value replaced in all that is said.
    #[must_use]
    pub fn concealing(self, value: &str, shown: &str) -> Self {
        let [what, label, mend] = [&self.what, &self.label, &self.mend].map(|text| text.replace(value, shown));
        Self { what, at: self.at, label, mend }
    }

    /// `what` is wrong at this range of bytes of the file. `label` says how, and `mend` what to write instead.
    #[must_use]
    pub fn new(what: impl Into<String>, at: Range<usize>, label: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), at, label: label.into(), mend: mend.into() }
    }

    /// A text that is not TOML, or has an unknown key or a value of another type, in the words of `toml`'s error; `keys` says
    /// where the keys are explained.
    #[must_use]
    pub fn malformed(error: &str, at: Range<usize>, keys: &str) -> Self {
        let said = error.trim().to_owned();
        let said = WORDS.iter().fold(said, |said, (theirs, plain)| said.replace(theirs, plain));
        let (what, label) = said.split_at(said.rfind(", expected ").unwrap_or(said.len()));
        let is = |heads: &[&str]| heads.iter().any(|head| what.starts_with(head));
        let meant = nearest(what, label);
        let is_number = what.contains("integer `") || what.contains("floating point `");
        let mend = if is(&["unknown key", "unknown value"]) && meant.is_some() {
            meant.as_deref().unwrap_or_default()
        } else if is(&["unknown key", "missing key"]) {
            keys
        } else if is_number && label.ends_with("a text in quotes") {
            "write it in quotes; a time has its unit, as in \"45s\""
        } else if is(&["invalid type", "invalid value", "unknown value", "duplicate key"]) {
            ""
        } else {
            "write TOML: [server] for a table, and in it listen = \"127.0.0.1:4290\", with texts in quotes"
        };
        // The value that was found may be a secret.
        let found = if is(&["invalid type", "invalid value"]) { what.find(['`', '"']) } else { None };
        let what = &what[..found.unwrap_or(what.len())];
        Self::new(what.trim_end(), at, label.trim_start_matches(", "), mend)
    }
}

impl Invalid {
    /// The problems of this text, which comes from `origin`. What looks like a credential is masked in all of it.
    #[must_use]
    pub fn new(origin: String, text: &str, problems: Vec<Problem>) -> Self {
        let mut sources = Sources::default();
        sources.push(origin, text.to_owned());
        Self::of_sources(sources, problems)
    }

    /// The problems of these texts, whose places are offsets in [`Sources`].
    #[must_use]
    pub fn of_sources(mut sources: Sources, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.at.start);
        for text in problems.iter_mut().flat_map(|problem| [&mut problem.what, &mut problem.label, &mut problem.mend]) {
            *text = masked(text);
        }
        for source in &mut sources.texts {
            source.text = masked(&source.text);
        }
        Self { sources, problems }
    }
}

/// A problem as a program reads it.
#[derive(Debug, serde::Serialize)]
pub struct StatedProblem<'i> {
    /// What is wrong.
    pub message: &'i str,
    /// The file.
    pub file: &'i str,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// How it is wrong.
    pub label: &'i str,
    /// What to write instead; empty if that is clear.
    pub help: &'i str,
}

impl Invalid {
    /// Each problem with its place.
    pub fn stated(&self) -> impl Iterator<Item = StatedProblem<'_>> {
        self.problems.iter().filter_map(|problem| {
            let source = self.sources.at(problem.at.start)?;
            let (line, column) = place(&source.text, problem.at.start - source.from);
            let Problem { what, label, mend, .. } = problem;
            Some(StatedProblem { message: what, file: &source.origin, line, column, label, help: mend })
        })
    }
}

impl Sources {
    /// Adds a text after the others. Returns the offset of its first byte.
    pub fn push(&mut self, origin: String, text: String) -> usize {
        // One byte is left free, so that the end of a text is not the beginning of the next.
        let from = self.texts.last().map_or(0, |last| last.from + last.text.len() + 1);
        self.texts.push(SourceText { origin, text, from });
        from
    }

    /// What is written there.
    #[must_use]
    pub fn slice(&self, at: Range<usize>) -> &str {
        self.at(at.start).and_then(|source| source.text.get(at.start - source.from..at.end - source.from)).unwrap_or("")
    }

    /// A place as people write it, as in `tidegate.toml:7:15`.
    #[must_use]
    pub fn place(&self, at: usize) -> String {
        let Some(source) = self.at(at) else { return String::new() };
        let (line, column) = place(&source.text, at - source.from);
        format!("{}:{line}:{column}", source.origin)
    }

    fn at(&self, at: usize) -> Option<&SourceText> {
        self.texts.iter().rev().find(|source| source.from <= at)
    }
}

/// Of these names the one that was meant by this one, which is none of them, if it is near.
pub fn did_you_mean<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let near = |name: &'n str| (strsim::jaro_winkler(written, name), name);
    let (likeness, name) = names.into_iter().map(near).max_by(|one, other| one.0.total_cmp(&other.0))?;
    (likeness >= NEAR).then(|| format!("did you mean {name}?"))
}

/// How alike a name is to one that was meant, where 1 is the same. A guess: one letter wrong, missing or too much.
const NEAR: f64 = 0.85;

/// The name that was meant, of an error that says what is not known and what was expected.
fn nearest(what: &str, expected: &str) -> Option<String> {
    let written = what.split('`').nth(1)?;
    did_you_mean(written, expected.split('`').skip(1).step_by(2))
}

/// What serde and the TOML parser say, and what it means to the author of the file.
const WORDS: [(&str, &str); 18] = [
    ("unknown field", "unknown key"),
    ("missing field", "missing key"),
    ("unknown variant", "unknown value"),
    ("invalid type: map", "invalid type: table"),
    ("invalid type: sequence", "invalid type: list"),
    ("wanted string or table", "invalid type, expected a text in quotes"),
    ("expected a sequence", "expected a list, as in [\"300/min\"] or, for routes, [[routes]]"),
    ("expected a map", "expected tables, as in [pools.NAME]"),
    ("expected a string", "expected a text in quotes"),
    ("expected usize", "expected a whole number from 0 up"),
    ("expected a nonzero usize", "expected a whole number from 1 up"),
    ("expected a nonzero u32", "expected a whole number from 1 to 4294967295"),
    ("expected i64", "expected a whole number"),
    ("expected f64", "expected a number, as in 0.1"),
    ("expected a boolean", "expected true or false"),
    ("expected an integer or string", A_SIZE),
    ("expected integer overflow", A_SIZE),
    ("expected parsable string", A_SIZE),
];

const A_SIZE: &str = "expected a size, as in \"1MiB\" or 65536";

/// The line and column of a byte in a text, both counted from 1.
#[must_use]
pub fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// The text with what looks like a credential replaced by asterisks. All places stay the same.
fn masked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (mark, until) in [("sk-", "\"' \t\r\n=#"), ("Bearer ", "\"'\r\n=#")] {
        for (at, _) in text.match_indices(mark) {
            let secret = bytes[at + mark.len()..].iter_mut().take_while(|byte| !until.as_bytes().contains(byte));
            secret.filter(|byte| byte.is_ascii()).for_each(|byte| *byte = b'*');
        }
    }
    for (at, mark) in text.match_indices("://") {
        let authority = text[at + mark.len()..].split(['/', '"', '\'', '\n']).next().unwrap_or_default();
        let user = &mut bytes[at + mark.len()..][..authority.rfind('@').unwrap_or_default()];
        user.iter_mut().filter(|byte| byte.is_ascii()).for_each(|byte| *byte = b'*');
    }
    String::from_utf8(bytes).unwrap_or_default()
}

impl std::error::Error for Invalid {}

/// In the style of `rustc`: file, line and column, and the text underlined.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for (index, problem) in self.problems.iter().enumerate() {
            let Some(SourceText { origin, text, from }) = self.sources.at(problem.at.start) else { continue };
            let end = (problem.at.end - from).min(text.len());
            let at = (problem.at.start - from).min(end)..end;
            let mark = AnnotationKind::Primary.span(at).label(problem.label.as_str());
            let snippet = Snippet::source(text.as_str()).path(origin.as_str()).annotation(mark);
            let mut group = Level::ERROR.primary_title(problem.what.as_str()).element(snippet);
            if !problem.mend.is_empty() {
                group = group.element(Level::HELP.message(problem.mend.as_str()));
            }
            let gap = if index == 0 { "" } else { "\n\n" };
            let shown = renderer.render(&[group]);
            let lines = shown.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
            write!(f, "{gap}{lines}")?;
        }
        Ok(())
    }
}
