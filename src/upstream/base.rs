use http::Uri;
use http::uri::PathAndQuery;

use crate::route::climbs;

/// What the URL of an upstream says of paths there. It is written as a provider writes it for users of OpenAI's SDKs, so
/// that it stands in place of the `/v1` that apps ask the gate for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePath {
    /// Without a slash at its end; empty for the root.
    path: Box<str>,
    v1: V1,
    /// `api-version=…`, for requests that have none.
    query: Option<Box<str>>,
}

/// What becomes of the `/v1` at the beginning of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum V1 {
    /// It goes on where it is there.
    AsSent,
    /// It goes on, and known paths that lack it get it.
    Expected,
    /// The base path stands for it.
    Replaced,
}

/// Hosts whose base URL, as they document it, has no path, and what their paths begin with all the same (their documentation,
/// 2026-11-30).
const ROOTS: [(&str, V1); 3] = [
    ("api.openai.com", V1::Expected),
    ("api.perplexity.ai", V1::Replaced),
    ("models.inference.ai.azure.com", V1::Replaced),
];

/// A base URL for Anthropic's SDKs, which add `/v1/messages` to it: Z.AI's, DeepSeek's, Moonshot's and Cloudflare's.
const OF_ANTHROPIC: &str = "/anthropic";

/// What Anthropic's SDKs ask for, wherever the base URL leads.
const MESSAGES: &str = "/v1/messages";

impl BasePath {
    /// That of a URL.
    #[must_use]
    pub fn of(url: &Uri) -> Self {
        let path = url.path().trim_end_matches('/');
        let host = url.host().unwrap_or_default();
        let (path, v1) = match path {
            "" => {
                ("", ROOTS.iter().find(|(root, _)| root.eq_ignore_ascii_case(host)).map_or(V1::AsSent, |(_, v1)| *v1))
            }
            "/v1" => ("", V1::Expected),
            path if path.ends_with(OF_ANTHROPIC) => (path, V1::Expected),
            path => (path, V1::Replaced),
        };
        Self { path: path.into(), v1, query: url.query().map(Into::into) }
    }

    /// Whether a known path that lacks its `/v1` gets it.
    #[must_use]
    pub fn adds_v1(&self) -> bool {
        self.v1 != V1::AsSent
    }

    /// What follows the base path in the target of a request, for apps that send it themselves.
    #[must_use]
    pub fn after<'t>(&self, target: &'t str) -> Option<&'t str> {
        let after = strip(target, &self.path).filter(|_| !self.path.is_empty())?;
        Some(if after.is_empty() { "/" } else { after })
    }

    /// Path and query at the upstream; nothing for what leads out of the base path.
    #[must_use]
    pub fn target(&self, sent: PathAndQuery) -> Option<Uri> {
        let whole = sent.as_str();
        let rest = match self.v1 {
            V1::Replaced if !self.keeps_v1(whole) => strip(whole, "/v1").unwrap_or(whole),
            _ => whole,
        };
        if self.path.is_empty() && self.query.is_none() && rest.len() == whole.len() {
            return Some(sent.into());
        }
        if !self.path.is_empty() && climbs(rest.split('?').next().unwrap_or_default()) {
            return None;
        }
        let slash = if self.path.is_empty() && !rest.starts_with('/') { "/" } else { "" };
        let mut target = format!("{}{slash}{rest}", self.path);
        if let Some(query) = self.query.as_deref().filter(|query| !names_parameter(sent.query(), query)) {
            target.push(if sent.query().is_some() { '&' } else { '?' });
            target.push_str(query);
        }
        target.parse().ok()
    }

    /// Where a path of the upstream is at the gate; nothing for one that cannot be asked for through the gate.
    #[must_use]
    pub fn at_gate(&self, path: &str) -> Option<String> {
        let rest = strip(path, &self.path)?;
        if self.v1 == V1::Replaced && !self.keeps_v1(rest) {
            return Some(format!("/v1{rest}"));
        }
        let slash = if rest.starts_with('/') { "" } else { "/" };
        Some(format!("{slash}{rest}"))
    }

    /// Whether the base path is no version in place of `/v1`, to an endpoint that is always asked for with its own.
    fn keeps_v1(&self, target: &str) -> bool {
        let last = self.path.rsplit('/').next().unwrap_or_default();
        let is_version = last.starts_with('v') && last[1..].starts_with(|c: char| c.is_ascii_digit());
        !is_version && strip(target, MESSAGES).is_some()
    }
}

/// What follows the segments of a prefix.
fn strip<'t>(target: &'t str, prefix: &str) -> Option<&'t str> {
    target.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

/// Whether a query has the parameter that this one is.
fn names_parameter(query: Option<&str>, parameter: &str) -> bool {
    let name = |pair: &str| pair.split('=').next().map(str::to_owned);
    query.is_some_and(|query| query.split('&').any(|pair| name(pair) == name(parameter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> BasePath {
        BasePath::of(&url.parse().expect("a URL"))
    }

    fn target(url: &str, sent: &str) -> String {
        base(url).target(sent.parse().expect("a path")).expect("a target").to_string()
    }

    #[test]
    fn documented_base_urls_stand_for_v1() {
        for (url, expected) in [
            ("https://api.openai.com", "/v1/chat/completions"),
            ("https://api.openai.com/v1/", "/v1/chat/completions"),
            ("http://127.0.0.1:8000", "/v1/chat/completions"),
            ("https://api.groq.com/openai/v1", "/openai/v1/chat/completions"),
            ("https://openrouter.ai/api/v1", "/api/v1/chat/completions"),
            ("https://example.openai.azure.com/openai/v1/", "/openai/v1/chat/completions"),
            ("https://generativelanguage.googleapis.com/v1beta/openai/", "/v1beta/openai/chat/completions"),
            ("https://api.z.ai/api/paas/v4", "/api/paas/v4/chat/completions"),
            ("https://api.perplexity.ai", "/chat/completions"),
            ("https://gateway.ai.cloudflare.com/v1/account/gate/openai", "/v1/account/gate/openai/chat/completions"),
            ("https://models.github.ai/inference", "/inference/chat/completions"),
            ("https://ark.cn-beijing.volces.com/api/v3", "/api/v3/chat/completions"),
        ] {
            assert_eq!(target(url, "/v1/chat/completions"), expected, "{url}");
        }
    }

    #[test]
    fn anthropic_asks_for_v1_behind_its_base() {
        for (url, expected) in [
            ("https://api.anthropic.com", "/v1/messages?beta=true"),
            ("https://api.z.ai/api/anthropic", "/api/anthropic/v1/messages?beta=true"),
            ("https://proxy.example/litellm", "/litellm/v1/messages?beta=true"),
            ("https://openrouter.ai/api/v1", "/api/v1/messages?beta=true"),
        ] {
            assert_eq!(target(url, "/v1/messages?beta=true"), expected, "{url}");
        }
    }

    #[test]
    fn api_version_is_added_once() {
        let url = "https://example.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-10-21";
        for (sent, expected) in [
            ("/v1/chat/completions", "?api-version=2024-10-21"),
            ("/v1/chat/completions?x=1", "?x=1&api-version=2024-10-21"),
            ("/v1/chat/completions?api-version=2025-01-01", "?api-version=2025-01-01"),
        ] {
            assert_eq!(target(url, sent), format!("/openai/deployments/gpt-4o/chat/completions{expected}"));
        }
    }

    #[test]
    fn a_path_without_v1_goes_behind_the_base_as_well() {
        assert_eq!(target("http://o/api/v3", "/chat/completions?x"), "/api/v3/chat/completions?x");
        assert_eq!(target("http://o/api/v3", "/v1"), "/api/v3");
        assert_eq!(target("http://o/api/v3", "/v1?x"), "/api/v3?x");
        assert_eq!(target("https://api.perplexity.ai", "/v1?x"), "/?x");
        assert_eq!(target("http://o/api/v3", "/v10/x"), "/api/v3/v10/x");
    }

    #[test]
    fn what_follows_the_base_is_found() {
        let gemini = base("http://o/v1beta/openai");
        assert_eq!(gemini.after("/v1beta/openai/models?x=1"), Some("/models?x=1"));
        assert_eq!(gemini.after("/v1beta/openai"), Some("/"));
        assert_eq!(gemini.after("/v1beta/openai2/models"), None);
        assert_eq!(gemini.after("/v1/models"), None);
        assert_eq!(base("http://o").after("/v1/models"), None);
    }

    #[test]
    fn paths_lead_back_through_the_gate() {
        for (url, path, expected) in [
            ("http://o", "/v1/models", Some("/v1/models")),
            ("http://o", "/login?x#y", Some("/login?x#y")),
            ("http://o/api/v3", "/api/v3/models?x", Some("/v1/models?x")),
            ("http://o/api/v3", "/login", None),
            ("https://api.perplexity.ai", "/models", Some("/v1/models")),
            ("http://o/api/anthropic", "/api/anthropic/v1/messages", Some("/v1/messages")),
            ("http://o/litellm", "/litellm/v1/messages", Some("/v1/messages")),
            ("http://o/api/v1", "/api/v1/messages", Some("/v1/messages")),
        ] {
            assert_eq!(base(url).at_gate(path).as_deref(), expected, "{url} {path}");
        }
    }
}
