use std::time::Duration;

use bytes::BytesMut;
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// How much of a body that nobody wants is heard out, and for how long.
const HEARD: usize = 16 << 20;
const HEAR_OUT: Duration = Duration::from_secs(1);

/// A request's body of which some may have been read before its request goes.
#[derive(Debug)]
pub struct Prefetched {
    pub(super) read: BytesMut,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) rest: Option<Incoming>,
    touched: bool,
}

impl From<Incoming> for Prefetched {
    fn from(body: Incoming) -> Self {
        let rest = (!body.is_end_stream()).then_some(body);
        Self { read: BytesMut::new(), trailers: None, rest, touched: false }
    }
}

impl Prefetched {
    /// Reads until the body ends or `enough` bytes are here. May be dropped at any time: what was read stays.
    ///
    /// # Errors
    /// The body did not come whole.
    pub async fn fill(&mut self, enough: usize) -> Result<(), hyper::Error> {
        while self.read.len() < enough
            && let Some(rest) = &mut self.rest
        {
            self.touched = true;
            let Some(frame) = rest.frame().await else {
                self.rest = None;
                break;
            };
            match frame?.into_data() {
                Ok(data) => self.read.extend_from_slice(&data),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
        Ok(())
    }

    /// Reads on for a while and forgets it: a client that is still sending would not read its answer.
    pub async fn hear_out(self) {
        drop(timeout(HEAR_OUT, self.discard(HEARD)).await);
    }

    async fn discard(mut self, most: usize) -> Result<(), hyper::Error> {
        let mut seen = 0;
        while seen < most {
            self.read.clear();
            self.fill(1).await?;
            if self.read.is_empty() {
                return Ok(());
            }
            seen += self.read.len();
        }
        Ok(())
    }

    /// The whole body, if it has been read to its end.
    #[must_use]
    pub fn whole(&self) -> Option<&[u8]> {
        self.rest.is_none().then_some(&self.read[..])
    }

    /// Whether reading it has begun, and with that a client that waited for `100 Continue` has been invited to send it.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.touched
    }
}
