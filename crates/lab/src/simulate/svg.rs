use std::fmt::Write;
use std::time::Duration;

use super::instance_stats::LoadPoint;
use super::report::{PoolReport, SimulationReport, titles};

/// The most pools in a picture: those with the longest waits.
const MOST_POOLS: usize = 8;

/// Sizes in pixels: the picture, a row of strips, and the names of the reports above them.
const WIDTH: f64 = 1_200.0;
const ROW: f64 = 170.0;
const HEAD: f64 = 34.0;

/// Around the plot of a strip: room for the caption above, the times below, the values on the left, and a margin.
const CAPTION: f64 = 26.0;
const TIMES: f64 = 28.0;
const VALUES: f64 = 54.0;
const MARGIN: f64 = 26.0;

/// The number of values and times beside a plot.
const VALUE_LABELS: u32 = 4;
const TIME_LABELS: u32 = 5;

/// The colour of each report. They differ in lightness, for readers who do not see colours.
const COLOURS: [&str; 2] = ["#1c58ac", "#e2821a"];

/// The value of a point.
type PointValue = fn(&LoadPoint) -> f64;

/// The plots of a pool, with their titles.
const STRIPS: [(&str, PointValue); 3] = [
    ("used, % of the limit", |point| point.used * 100.0),
    ("waiting, requests", |point| f64::from(point.waiting)),
    ("wait p95, s", |point| point.wait_p95_ms / 1_000.0),
];

/// A picture of these reports as SVG, one drawn over the other: the use, the queue and the waits of each pool.
#[must_use]
pub fn picture(reports: &[SimulationReport]) -> String {
    let mut pools = titles(reports);
    pools.truncate(MOST_POOLS);
    let height = pools.iter().fold(HEAD, |height, _| height + ROW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut x = 12.0;
    for (report, colour) in reports.iter().zip(COLOURS) {
        text(&mut svg, (x, 24.0), "start", &format!("font-size=\"16\" fill=\"{colour}\""), &report.config);
        x += 400.0;
    }
    let mut top = HEAD;
    for title in &pools {
        let of_pool: Vec<_> = reports.iter().map(|report| (report.step_s, report.pool(title))).collect();
        let mut left = 0.0;
        for (label, value) in STRIPS {
            let strip = Strip { left: left + VALUES, top: top + CAPTION, lines: lines(&of_pool, value) };
            strip.draw(&mut svg, &format!("{title}: {label}"));
            left += WIDTH / 3.0;
        }
        top += ROW;
    }
    svg + "</svg>\n"
}

/// A plot; its lines are points of seconds and values.
struct Strip {
    left: f64,
    top: f64,
    lines: Vec<Vec<(f64, f64)>>,
}

impl Strip {
    const WIDTH: f64 = WIDTH / 3.0 - VALUES - MARGIN;
    const HEIGHT: f64 = ROW - CAPTION - TIMES;

    fn draw(&self, svg: &mut String, caption: &str) {
        let points = || self.lines.iter().flatten();
        let end = points().map(|&(at, _)| at).fold(1e-3, f64::max);
        let most = points().map(|&(_, value)| value).fold(0.0, f64::max);
        let most = if most > 0.0 { most * 1.1 } else { 1.0 };
        let at = |(time, value): (f64, f64)| {
            (self.left + time / end * Self::WIDTH, self.top + (1.0 - value / most) * Self::HEIGHT)
        };
        text(svg, (self.left + Self::WIDTH / 2.0, self.top - 10.0), "middle", "font-size=\"13\"", caption);
        self.draw_scales(svg, end, most, at);
        for (line, colour) in self.lines.iter().zip(COLOURS) {
            let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
                points.map(at).fold(String::new(), |path, (x, y)| path + &format!("{x:.1},{y:.1} "))
            };
            let first = (line.first().map_or(0.0, |&(time, _)| time), 0.0);
            let last = (line.last().map_or(0.0, |&(time, _)| time), 0.0);
            let area = path(&mut [first].into_iter().chain(line.iter().copied()).chain([last]));
            put(svg, format_args!("<polygon points=\"{area}\" fill=\"{colour}\" fill-opacity=\"0.15\"/>\n"));
            let line = path(&mut line.iter().copied());
            put(svg, format_args!("<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\"/>\n"));
        }
    }

    fn draw_scales(&self, svg: &mut String, end: f64, most: f64, at: impl Fn((f64, f64)) -> (f64, f64)) {
        let (right, small) = (self.left + Self::WIDTH, "font-size=\"11\" fill=\"#444\"");
        for step in 0..=VALUE_LABELS {
            let value = most * f64::from(step) / f64::from(VALUE_LABELS);
            let (left, y) = at((0.0, value));
            put(svg, format_args!("<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#ddd\"/>\n"));
            let digits = usize::from(most < 10.0);
            text(svg, (left - 6.0, y + 4.0), "end", small, &format!("{value:.digits$}"));
        }
        for step in 0..=TIME_LABELS {
            let time = end * f64::from(step) / f64::from(TIME_LABELS);
            let (x, bottom) = at((time, 0.0));
            text(svg, (x, bottom + 16.0), "middle", small, &clock(time));
        }
    }
}

fn lines(of_pool: &[(f64, Option<&PoolReport>)], value: PointValue) -> Vec<Vec<(f64, f64)>> {
    let line = |&(step, pool): &(f64, Option<&PoolReport>)| {
        let mut at = 0.0;
        let next = |point: &LoadPoint| {
            at += step;
            (at, value(point))
        };
        pool.map_or(&[][..], |pool| &pool.points).iter().map(next).collect()
    };
    of_pool.iter().map(line).collect()
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, style: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    put(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{text}</text>\n"));
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    svg.write_fmt(element).expect("a text takes everything");
}

/// Hours, minutes and seconds.
fn clock(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
