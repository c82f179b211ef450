use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Everything that is wrong with a configuration, or another file that people write, each with its place in the file,
/// from its top down.
#[derive(Debug)]
pub struct Invalid {
    origin: String,
    text: String,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Problem {
    what: String,
    at: Range<usize>,
    label: String,
    mend: String,
}

impl Problem {
    /// `what` is wrong at this place of the file; `label` says how and `mend` what to write.
    #[must_use]
    pub fn new(what: impl Into<String>, at: Range<usize>, label: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), at, label: label.into(), mend: mend.into() }
    }
}

impl Invalid {
    /// What is wrong with this text, which comes from there. Credentials are made illegible, as far as they look like some.
    #[must_use]
    pub fn new(origin: String, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.at.start);
        for text in problems.iter_mut().flat_map(|problem| [&mut problem.what, &mut problem.label, &mut problem.mend]) {
            *text = masked(text);
        }
        Self { origin, text: masked(text), problems }
    }
}

/// Where something is in a text: its line and column, as [`Invalid`] counts them.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// The text with what looks like a credential made illegible; every place stays what it was.
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

/// As `rustc` shows it: the file, the line and column, and the text underlined.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for (index, problem) in self.problems.iter().enumerate() {
            let end = problem.at.end.min(self.text.len());
            let at = problem.at.start.min(end)..end;
            let mark = AnnotationKind::Primary.span(at).label(problem.label.as_str());
            let snippet = Snippet::source(self.text.as_str()).path(self.origin.as_str()).annotation(mark);
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
