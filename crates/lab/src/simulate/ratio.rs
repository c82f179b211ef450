/// A part of a whole; 0 if the whole is 0.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^52 the last digits of a part matter to nobody")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
