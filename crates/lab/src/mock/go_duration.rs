use std::fmt;
use std::time::Duration;

/// A duration as OpenAI writes it, in Go's format and to the millisecond: `20ms`, `1.898s`, `6m0s`.
#[derive(Clone, Copy, Debug)]
pub(super) struct GoDuration(pub(super) Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up, as a client that comes back earlier is refused again. An error of less than 1 µs is not rounded up.
        let nanos = self.0.as_nanos().saturating_sub(1_000);
        let millis = nanos.div_ceil(1_000_000);
        if millis < 1_000 {
            return write!(f, "{millis}ms");
        }
        let (minutes, millis) = (millis / 60_000, millis % 60_000);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        let fraction = format!("{:03}", millis % 1_000);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction}s", millis / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_go_writes_it() {
        for (millis, text) in [
            (0, "0ms"),
            (20, "20ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_898, "1.898s"),
            (3_890, "3.89s"),
            (360_000, "6m0s"),
            (432_000, "7m12s"),
            (3_723_050, "1h2m3.05s"),
            (7_200_000, "2h0m0s"),
        ] {
            assert_eq!(GoDuration(Duration::from_millis(millis)).to_string(), text);
        }
    }

    #[test]
    fn a_time_is_rounded_up_to_the_millisecond_unless_by_less_than_a_microsecond() {
        assert_eq!(GoDuration(Duration::from_micros(1_500)).to_string(), "2ms");
        assert_eq!(GoDuration(Duration::new(3, 890_000_001)).to_string(), "3.89s");
    }
}
