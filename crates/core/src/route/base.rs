//! Base paths of other providers: what an app's SDK puts before `/chat/completions` in place of `/v1`.

use std::borrow::Cow;
use std::iter;

use super::endpoint::is_version;
use super::path::Segments;

/// The parameter for a model that a path names.
pub(super) const MODEL: &str = "model";

/// What stands before the name of a model at Azure.
const DEPLOYMENTS: &str = "deployments";

/// What base paths end with, beside a version as in `/api/paas/v4`: Gemini's and Cloudflare's, Vertex AI's, and GitHub's
/// (their documentation, 2026-11-30).
const LAST: [&str; 3] = ["openai", "openapi", "inference"];

/// How many segments may be a base path, the fewest first. `/v1` alone is not meant: it is what routes begin with.
pub(super) fn bases(segments: &Segments<'_>) -> impl Iterator<Item = usize> {
    let ends_base = |at: &usize| {
        let last = &segments[*at];
        let is_word = LAST.iter().any(|word| last.eq_ignore_ascii_case(word));
        (is_word || is_version(last) || deployment(segments, at + 1).is_some())
            && !(*at == 0 && last.eq_ignore_ascii_case("v1"))
    };
    // Behind the base there is an endpoint.
    (0..segments.len().saturating_sub(1)).filter(ends_base).map(|at| at + 1)
}

/// The path with `/v1` in place of the base path.
pub(super) fn behind_base<'s>(segments: &Segments<'s>, base: usize) -> Segments<'s> {
    iter::once(Cow::Borrowed("v1")).chain(segments[base..].iter().cloned()).collect()
}

/// The model that a base path of so many segments ends with: `/openai/deployments/gpt-4o`.
pub(super) fn deployment<'s>(segments: &'s Segments<'_>, base: usize) -> Option<&'s str> {
    let before = segments.get(base.checked_sub(2)?)?;
    before.eq_ignore_ascii_case(DEPLOYMENTS).then(|| &*segments[base - 1])
}
