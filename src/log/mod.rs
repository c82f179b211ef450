//! What is told of requests: for each, at its end, a line of the access log and a span ([`Entry`]); and how much the log
//! tells of all else, which may change while the gate runs ([`Filter`]).
//!
//! No request ever waits for whoever writes these down or takes them: what does not keep up loses some, which is said.
//! Nothing that is told has a path, a query, a header or a body in it. Of a body there is the model alone, where a pool is
//! keyed by it, and a hash of one that is longer than any name.

mod access;
mod entry;
mod filter;
mod sink;
mod span;
mod story;
#[cfg(test)]
mod tests;
mod traces;

pub use entry::Entry;
pub use filter::{BadFilter, Filter};
pub use story::{Asked, Spent, Story, Waits};

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;

use crate::config;
use access::Access;
use traces::Traces;

/// Whatever is told of each request.
#[derive(Debug)]
pub struct Logs {
    access: Option<Access>,
    traces: Option<Traces>,
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// The file cannot be written.
    #[error("log.access_file {} cannot be written: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The collector cannot be spoken to.
    #[error("log.otlp: {0}")]
    Collector(String),
}

impl Logs {
    /// As configured. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Unopened`]: what is configured cannot be used.
    pub fn open(config: &config::LogConfig) -> Result<Self, Unopened> {
        let access = config.access.as_ref().map(Access::open).transpose()?;
        let traces = config.otlp.as_ref().map(Traces::open).transpose()?;
        Ok(Self { access, traces })
    }

    /// Begins the story of a request that somebody will want to hear. If it is traced, its headers name its span as the
    /// parent of all that follows.
    #[must_use]
    pub fn begin(&self, route: &str, came: Instant, headers: &mut HeaderMap) -> Option<Arc<Story>> {
        let span = self.traces.as_ref().and_then(|traces| traces.begin(route, headers));
        (span.is_some() || self.access.is_some()).then(|| Arc::new(Story::new(came, span)))
    }

    /// Tells of a request that has ended. One that is `plain` is one of many.
    pub fn end(&self, entry: &Entry<'_>, story: &Story, plain: bool) {
        if let Some(access) = self.access.as_ref().filter(|access| !plain || access.samples()) {
            access.write(entry);
        }
        if let Some(traces) = &self.traces {
            traces.end(entry, story);
        }
    }

    /// Opens the file of the access log anew, which may have been moved away.
    pub fn reopen(&self) {
        self.access.iter().for_each(Access::reopen);
    }

    /// Waits, for some seconds at most, until all that was told is written down and taken.
    pub async fn close(&self) {
        self.access.iter().for_each(Access::close);
        if let Some(traces) = &self.traces {
            traces.close().await;
        }
    }
}
