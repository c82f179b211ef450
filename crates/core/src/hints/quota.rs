use std::time::Duration;

use serde_json::{Map, Value};

use super::LimitFigures;
use super::time::{DAY, HOUR, MINUTE, SECOND};
use crate::limit::Unit;

/// The windows of Google's quotas, by what their names have in them.
const WINDOWS: [(&str, Duration); 4] =
    [("PerSecond", SECOND), ("PerMinute", MINUTE), ("PerHour", HOUR), ("PerDay", DAY)];

/// The quota that an error of Google's says is used up, and the model that it is of: `google.rpc.QuotaFailure`, whose
/// `quotaId` names unit and window, as in `GenerateRequestsPerDayPerProjectPerModel-FreeTier` (docs/upstream.md §7; seen
/// 2025-09 to 2026-02 in google-gemini/gemini-cli issues 5377 and 8437).
///
/// Of several it is that of the longest window: until that ends, the others do not matter.
pub(super) fn of(error: &Map<String, Value>) -> (Option<LimitFigures>, Option<Box<str>>) {
    let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
    let violations = details.filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    let quotas = violations.filter_map(|violation| Some((figures(violation)?, model(violation))));
    quotas.max_by_key(|(figures, _)| figures.per).map_or((None, None), |(figures, model)| (Some(figures), model))
}

fn figures(violation: &Value) -> Option<LimitFigures> {
    let id = violation.get("quotaId")?.as_str()?;
    let per = WINDOWS.iter().find(|(word, _)| id.contains(word))?.1;
    let unit = if id.contains("Token") { Unit::Tokens } else { Unit::Requests };
    let limit = violation.get("quotaValue").and_then(number);
    Some(LimitFigures { unit, per, limit, used: None, requested: None })
}

fn model(violation: &Value) -> Option<Box<str>> {
    Some(violation.get("quotaDimensions")?.get("model")?.as_str()?.into())
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
