use super::traffic::Traffic;
use super::traffic_error::TrafficError;
use super::{access_log, har, scenario};

/// Reads traffic from a scenario, an access log or a HAR; the text decides which it is. `name` is its name in errors.
///
/// # Errors
/// [`TrafficError`]: what is wrong, where, and how to mend it.
pub fn read(name: &str, text: &str) -> Result<Traffic, TrafficError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return Ok(scenario::read(name, text)?);
    }
    if har::is_one(text) { har::read(name, text) } else { access_log::read(name, text) }
}
