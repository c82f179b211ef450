/// A time, given in milliseconds, as people say it.
pub(super) fn time(millis: f64) -> String {
    match millis {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{millis:.1} ms"),
        ..1_000.0 => format!("{millis:.0} ms"),
        ..60_000.0 => format!("{:.1} s", millis / 1_000.0),
        ..3_600_000.0 => format!("{:.1} min", millis / 60_000.0),
        _ => format!("{:.1} h", millis / 3_600_000.0),
    }
}

/// From none to all of it.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A line of blocks, so many wide, of which the highest is `most`; nothing is a space.
pub(super) fn blocks(values: &[f64], width: usize, most: f64) -> String {
    let width = width.min(values.len()).max(1);
    let column = |at: usize| {
        let (from, to) = (at * values.len() / width, (at + 1) * values.len() / width);
        values[from..to].iter().copied().fold(0.0, f64::max)
    };
    let block = |value: f64| {
        if value <= 0.0 || most <= 0.0 {
            return ' ';
        }
        let mut levels = BLOCKS.into_iter().zip([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        levels.find(|(_, level)| value <= most * level / 8.0).map_or('█', |(block, _)| block)
    };
    (0..width).map(|at| block(column(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_shows_the_highest_of_what_it_stands_for() {
        assert_eq!(blocks(&[0.0, 0.1, 0.5, 0.2, 1.0, 0.0], 3, 1.0), "▁▄█");
        assert_eq!(blocks(&[0.0, 2.0], 80, 4.0), " ▄");
        assert_eq!(blocks(&[0.0, 0.0], 2, 0.0), "  ");
    }

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        let said = [0.0, 0.44, 999.0, 59_940.0, 90_000.0, 5_400_000.0].map(time);
        assert_eq!(said, ["0", "0.4 ms", "999 ms", "59.9 s", "1.5 min", "1.5 h"]);
    }
}
