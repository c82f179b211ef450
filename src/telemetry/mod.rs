//! What is told of requests: for each, at its end, a line of the access log and a span ([`AccessLine`]); and how much the log
//! tells of all else, which may change while the gate runs ([`Filter`]).
//!
//! No request ever waits for whoever writes these down or takes them: what does not keep up loses some, which is said.
//! Nothing that is told has a path, a query, a header or a body in it. Of a body there is the model alone, where a pool is
//! keyed by it, and a hash of one that is longer than any name.

mod access;
mod context;
mod filter;
mod line;
mod open_error;
mod sink;
mod span;
#[cfg(test)]
mod tests;
mod trace;
mod traces;

pub use access::tell_lost;
pub use filter::{BadLogFilter, Filter};
pub use line::AccessLine;
pub use open_error::OpenError;
pub use trace::{QueuedSpan, RequestTrace, RequestedCost, TraceTotals};

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;

use crate::config;
use access::Access;
use traces::Traces;

/// Whatever is told of each request.
#[derive(Debug)]
pub struct Telemetry {
    access: Option<Access>,
    traces: Option<Traces>,
}

impl Telemetry {
    /// As configured. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]: what is configured cannot be used.
    pub fn open(config: &config::LogConfig) -> Result<Self, OpenError> {
        let access = config.access.as_ref().map(Access::open).transpose()?;
        let traces = config.otlp.as_ref().map(Traces::open).transpose()?;
        Ok(Self { access, traces })
    }

    /// Begins the trace of a request, if the access log or a collector wants it. A request that is traced names its span
    /// in its headers, as the parent of all that follows.
    #[must_use]
    pub fn begin(&self, route: &str, arrived: Instant, headers: &mut HeaderMap) -> Option<Arc<RequestTrace>> {
        let context = self.traces.as_ref().and_then(|traces| traces.begin(route, headers));
        (context.is_some() || self.access.is_some()).then(|| Arc::new(RequestTrace::new(arrived, context)))
    }

    /// Tells of a request that has ended. One that is `plain` is one of many.
    pub fn end(&self, line: &AccessLine<'_>, trace: &RequestTrace, plain: bool) {
        if let Some(access) = self.access.as_ref().filter(|access| !plain || access.samples()) {
            access.write(line);
        }
        if let Some(traces) = &self.traces {
            traces.end(line, trace);
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
