//! Credentials: where clients put them, and who holds one that changes from hour to hour.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The headers that carry a credential, in the order in which they count: OpenAI's, Azure's, Anthropic's and Google's
/// (their documentation, 2026-11-30).
pub const HEADERS: [&str; 4] = ["authorization", "api-key", "x-api-key", "x-goog-api-key"];

/// The parameter of the query that Google's clients may use instead.
const PARAMETER: &str = "key";

/// The headers that say for whom a credential is used, at OpenAI.
pub const ORGANIZATION: &str = "openai-organization";
/// Within an organization.
pub const PROJECT: &str = "openai-project";

/// The credential in a query, as it is written there.
#[must_use]
pub fn in_query(query: &str) -> Option<&str> {
    let named =
        |pair: &'_ str| pair.split_once('=').is_some_and(|(name, value)| name == PARAMETER && !value.is_empty());
    query.split('&').find(|pair| named(pair)).and_then(|pair| pair.split_once('=')).map(|(_, value)| value)
}

/// Whether it may be a token that soon gives way to another one of the same holder: any bearer token but an API key.
#[must_use]
pub fn may_rotate(credential: &[u8]) -> bool {
    bearer(credential).is_some_and(|token| !token.starts_with(API_KEY))
}

/// Whose credential it is. Its holder is the credential itself, but for tokens that [may rotate](may_rotate): there it is
/// the token's own subject (RFC 7519 §4.1.2), the client that it was issued to (RFC 9068 §2.2, OpenID Connect's `azp`), or else the organization and project that it is used for, if any.
///
/// No signature is checked: who forges a subject takes part in its share of a pool, and gets nothing else.
///
/// ```
/// use tidegate_core::credential::holder;
///
/// assert_eq!(*holder(b"Bearer sk-1", b"org", b"proj"), *b"Bearer sk-1");
/// assert_eq!(holder(b"Bearer token-of-9-o-clock", b"org", b""), holder(b"Bearer token-of-10-o-clock", b"org", b""));
/// ```
#[must_use]
pub fn holder<'c>(credential: &'c [u8], organization: &[u8], project: &[u8]) -> Cow<'c, [u8]> {
    if !may_rotate(credential) {
        return credential.into();
    }
    if let Some(subject) = bearer(credential).and_then(subject) {
        return subject.into_bytes().into();
    }
    if organization.is_empty() && project.is_empty() {
        return credential.into();
    }
    [b"organization ", organization, b"\tproject ", project].concat().into()
}

/// What OpenAI's API keys begin with, and those of many others.
const API_KEY: &[u8] = b"sk-";

fn bearer(credential: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, token) = credential.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

/// Issuer of a JSON Web Token, and its subject or the client that it was issued to.
fn subject(token: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims<'t> {
        #[serde(borrow, default)]
        iss: Cow<'t, str>,
        #[serde(borrow, default)]
        sub: Cow<'t, str>,
        #[serde(borrow, default)]
        client_id: Cow<'t, str>,
        #[serde(borrow, default)]
        azp: Cow<'t, str>,
    }
    let mut parts = token.split(|&byte| byte == b'.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_ascii_end()).ok()?;
    let Claims { iss, sub, client_id, azp } = serde_json::from_slice(&payload).ok()?;
    let named =
        [("subject", sub), ("client", client_id), ("client", azp)].into_iter().find(|(_, name)| !name.is_empty());
    named.map(|(what, name)| format!("issuer {iss}\t{what} {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str, signature: &str) -> Vec<u8> {
        format!("Bearer eyJhbGciOiJSUzI1NiJ9.{}.{signature}", URL_SAFE_NO_PAD.encode(claims)).into_bytes()
    }

    #[test]
    fn rotated_token_has_the_same_holder() {
        let nine = token(r#"{"iss":"https://idp","sub":"job-1","exp":9}"#, "a");
        let ten = token(r#"{"exp":10,"sub":"job-1","iss":"https://idp"}"#, "b");
        assert_eq!(holder(&nine, b"", b""), holder(&ten, b"", b""));
        assert_eq!(holder(&nine, b"", b""), holder(&ten, b"org", b"proj"), "its own subject counts first");
        for other in [r#"{"iss":"https://idp","sub":"job-2"}"#, r#"{"iss":"https://other","sub":"job-1"}"#] {
            assert_ne!(holder(&nine, b"", b""), holder(&token(other, "a"), b"", b""), "{other}");
        }
    }

    #[test]
    fn opaque_tokens_of_one_project_have_one_holder() {
        let [one, two] = [&b"Bearer one"[..], b"bearer two"];
        assert_eq!(holder(one, b"org", b"proj"), holder(two, b"org", b"proj"));
        assert_ne!(holder(one, b"org", b"proj"), holder(two, b"org", b"other"));
        assert_ne!(holder(one, b"", b""), holder(two, b"", b""), "nothing says that they are the same");
    }

    #[test]
    fn api_keys_hold_themselves() {
        for key in [&b"Bearer sk-proj-1"[..], b"an-azure-key", b"Basic dXNlcjpwYXNz", b""] {
            assert_eq!(*holder(key, b"org", b"proj"), *key);
            assert!(!may_rotate(key));
        }
    }

    #[test]
    fn token_without_a_subject_is_its_own_holder() {
        let [nine, ten] = [9, 10].map(|exp| token(&format!(r#"{{"iss":"https://idp","azp":"app","exp":{exp}}}"#), "a"));
        assert_eq!(holder(&nine, b"", b""), holder(&ten, b"", b""), "its client counts");
        for claims in [r#"{"iss":"https://idp"}"#, r#"{"sub":""}"#, r#"{"sub":7}"#, "no JSON"] {
            let token = token(claims, "a");
            assert_eq!(*holder(&token, b"", b""), token[..], "{claims}");
        }
    }

    #[test]
    fn key_is_found_in_a_query() {
        for (query, key) in [
            ("key=AIza-1", Some("AIza-1")),
            ("alt=sse&key=AIza-1&x=1", Some("AIza-1")),
            ("key=", None),
            ("monkey=1&keys=2&key", None),
            ("", None),
        ] {
            assert_eq!(in_query(query), key, "{query}");
        }
    }
}
