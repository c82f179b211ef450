use std::error::Error;
use std::time::Duration;

use http::Uri;

use super::obstacle::Obstacle;

/// Why there is no upstream to send to.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The variable, whose place this is, is not there, or holds what cannot be a key.
    #[error(
        "upstream.api_key_env at {0} names an environment variable that holds no key: set it before the gate starts, or \
         take the line out and let each app send its own"
    )]
    NoKey(String),
    /// No TLS.
    #[error("the upstream cannot be reached over TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The proxy speaks another protocol.
    #[error("the proxy {0} on the way to the upstream is none that speaks HTTP or SOCKS5")]
    Proxy(Uri),
    /// The URL has no host.
    #[error("upstream.url {0} names no host")]
    NoHost(Uri),
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    /// No connection, or one that broke before the answer.
    #[error("the upstream cannot be reached: {1}")]
    Unreachable(Obstacle, String),
    /// An answer that cannot be passed on.
    #[error("the upstream's answer cannot be passed on: {0}")]
    Senseless(&'static str),
    /// No answer in time.
    #[error("the upstream has not answered within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The target and the base path make no URL together.
    #[error("the target is no path below the upstream's own")]
    Target,
    /// The body did not come whole from the client.
    #[error("the request's body broke off")]
    Body,
    /// Nothing more of the body came from the client.
    #[error("nothing has come of the request's body for {} s", .0.as_secs())]
    Stalled(Duration),
    /// Nothing more of the body was taken by the upstream.
    #[error("the upstream has taken nothing of the request's body for {} s", .0.as_secs())]
    Untaken(Duration),
    /// What must be read of the body before the request can go has not come.
    #[error("what must be read of the request's body before it can go has not come in {} s", .0.as_secs())]
    Slow(Duration),
}

impl Failed {
    /// No connection, or one that broke.
    pub(super) fn unreachable(error: &(dyn Error + 'static)) -> Self {
        Self::Unreachable(Obstacle::of(error), cause(error))
    }

    /// What on the upstream's side kept the request from a response; none where its own client did.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::Unreachable(obstacle, _) => Some(*obstacle),
            Self::Senseless(_) => Some(Obstacle::Broken),
            Self::Timeout(_) | Self::Untaken(_) => Some(Obstacle::Timeout),
            Self::Target | Self::Body | Self::Stalled(_) | Self::Slow(_) => None,
        }
    }
}

/// The last cause of an error: those before it only say where it was noticed.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
