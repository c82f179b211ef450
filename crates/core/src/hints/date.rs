use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// A date of RFC 3339, or of HTTP in each of its three forms (RFC 9110 §5.6.7), also with an offset or `UTC` instead of `GMT`,
/// as in mail; since the Unix epoch.
pub(super) fn date(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(at) = httpdate::parse_http_date(text) {
        return at.duration_since(SystemTime::UNIX_EPOCH).ok();
    }
    let mail = |_| OffsetDateTime::parse(&text.replace(" UTC", " +0000"), &Rfc2822);
    let at = OffsetDateTime::parse(text, &Rfc3339).or_else(mail).ok()?;
    Duration::try_from(at - OffsetDateTime::UNIX_EPOCH).ok()
}
