use std::fmt;

use http::Uri;

/// Whether the upstream is reached through a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    /// Through none, whatever these say.
    Off,
    /// Through this one, whatever these say.
    Url(ProxyUrl),
}

/// The URL of a proxy. It may have a password in it, so that it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(String);

impl ProxyUrl {
    /// Which protocols a proxy may speak.
    pub const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

    /// A proxy at this URL, as in `http://user:password@proxy.example:3128`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let url: Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let scheme = url.scheme_str().ok_or("it has no scheme, as in \"http://\"")?;
        if !Self::SCHEMES.contains(&scheme) {
            return Err(format!("a proxy's scheme is one of {}", Self::SCHEMES.join(", ")));
        }
        match url.path() {
            "" | "/" => Ok(Self(text.to_owned())),
            _ => Err("a path has no place here".to_owned()),
        }
    }

    /// With the password.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl(***)")
    }
}
