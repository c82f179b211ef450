//! Which environment variables tell SDKs their base URL.

use std::env;
use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use http::Uri;

use crate::cli::usage_error::UsageError;
use crate::config::Config;

/// A variable and what stands behind the gate's address in it. The SDKs of OpenAI have `/v1` in their base URL, the others
/// put the version in their paths (docs/upstream.md §5).
type Variable = (&'static str, &'static str);

/// `OPENAI_API_BASE` is read by LlamaIndex, LiteLLM, aider and openai-python below 1.0.
const OPENAI: [Variable; 2] = [("OPENAI_BASE_URL", "/v1"), ("OPENAI_API_BASE", "/v1")];

/// `ANTHROPIC_API_BASE` is LiteLLM's.
const ANTHROPIC: [Variable; 2] = [("ANTHROPIC_BASE_URL", ""), ("ANTHROPIC_API_BASE", "")];

/// Of google-genai in Python and JavaScript.
const GEMINI: [Variable; 1] = [("GOOGLE_GEMINI_BASE_URL", "")];

/// Of `AzureOpenAI` in openai-python and openai-node.
const AZURE: [Variable; 1] = [("AZURE_OPENAI_ENDPOINT", "")];

const OPENROUTER: [Variable; 1] = [("OPENROUTER_API_BASE", "/v1")];

/// What the command gets, so that its requests come to the gate there.
///
/// A key of one provider never goes to another: the upstream decides which SDKs are told. One on this machine or in a
/// private network is taken to stand for OpenAI and Anthropic.
pub(super) fn of(upstream: &Uri, gate: SocketAddr) -> Vec<(String, String)> {
    let variable = |(name, path): &Variable| (name.to_string(), format!("http://{gate}{path}"));
    let mut variables: Vec<_> = named(upstream.host().unwrap_or_default()).into_iter().map(variable).collect();
    variables.extend(no_proxy(|name| env::var(name).ok()));
    variables
}

/// An app that has a base URL already goes on to that upstream, unless the configuration names another.
pub(super) fn take_upstream(config: &mut Config) -> Result<()> {
    let is_default = config.upstream.url == Uri::from_static("https://api.openai.com");
    let Some(url) = env::var("OPENAI_BASE_URL").ok().filter(|url| is_default && !url.is_empty()) else { return Ok(()) };
    let gate = format!("http://{}", config.server.listen);
    if url.starts_with(&gate) {
        // From a gate that ran there, or runs there and is used.
        return Ok(());
    }
    let wrong = |error| UsageError(format!("OPENAI_BASE_URL: {error}; --upstream names another upstream"));
    Ok(config.upstream.set_url(&url).map_err(wrong)?)
}

fn named(host: &str) -> Vec<&'static Variable> {
    let is_of = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|left| left.ends_with('.'));
    if is_of("anthropic.com") {
        ANTHROPIC.iter().collect()
    } else if is_of("generativelanguage.googleapis.com") {
        OPENAI.iter().chain(&GEMINI).collect()
    } else if is_of("openai.azure.com") || is_of("services.ai.azure.com") {
        OPENAI.iter().chain(&AZURE).collect()
    } else if is_of("openrouter.ai") {
        OPENAI.iter().chain(&OPENROUTER).collect()
    } else if is_private(host) {
        OPENAI.iter().chain(&ANTHROPIC).collect()
    } else {
        OPENAI.iter().collect()
    }
}

fn is_private(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_name = host == "localhost" || !host.contains('.');
    address.map_or(is_name, |address| match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    })
}

/// Without it a command that has a proxy would send its requests there instead of to the gate.
fn no_proxy(variable: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let names = ["no_proxy", "NO_PROXY"];
    let mut hosts = names.into_iter().find_map(&variable).unwrap_or_default();
    if hosts == "*" {
        return Vec::new();
    }
    for host in ["127.0.0.1", "localhost", "::1"] {
        if !hosts.split(',').any(|known| known.trim() == host) {
            hosts = if hosts.is_empty() { host.to_owned() } else { format!("{hosts},{host}") };
        }
    }
    names.into_iter().map(|name| (name.to_owned(), hosts.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(upstream: &str) -> Vec<String> {
        let gate = SocketAddr::from(([127, 0, 0, 1], 4290));
        let of = of(&upstream.parse().expect("a URL"), gate).into_iter();
        let variables = of.filter(|(name, _)| !name.eq_ignore_ascii_case("no_proxy"));
        variables.map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn no_key_of_one_provider_goes_to_another() {
        let openai = ["OPENAI_BASE_URL=http://127.0.0.1:4290/v1", "OPENAI_API_BASE=http://127.0.0.1:4290/v1"];
        let anthropic = ["ANTHROPIC_BASE_URL=http://127.0.0.1:4290", "ANTHROPIC_API_BASE=http://127.0.0.1:4290"];
        for other in ["https://api.openai.com", "https://api.groq.com/openai", "https://notanthropic.com"] {
            assert_eq!(set(other), openai, "{other}");
        }
        assert_eq!(set("https://api.anthropic.com"), anthropic);
        for local in ["http://127.0.0.1:4292", "http://localhost:11434", "http://[::1]:1", "http://vllm:8000"] {
            assert_eq!(set(local), [openai, anthropic].concat(), "{local}");
        }
        assert!(
            set("https://mine.openai.azure.com").contains(&"AZURE_OPENAI_ENDPOINT=http://127.0.0.1:4290".to_owned())
        );
    }

    #[test]
    fn proxy_of_the_command_is_passed_by() {
        let hosts = |set: Option<&str>| no_proxy(|_| set.map(str::to_owned)).into_iter().map(|(_, hosts)| hosts).next();
        assert_eq!(hosts(None).as_deref(), Some("127.0.0.1,localhost,::1"));
        assert_eq!(hosts(Some("corp.example, localhost")).as_deref(), Some("corp.example, localhost,127.0.0.1,::1"));
        assert_eq!(hosts(Some("*")), None);
    }
}
