use std::error::Error;
use std::time::Duration;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::instance::Point;
use super::report::{PoolReport, Report, titles};

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;
type Drawn = Result<(), Box<dyn Error + Send + Sync>>;

/// So many pools are drawn, those that were waited for most.
const MOST_POOLS: usize = 8;

const WIDTH: u32 = 1_200;
const ROW: u32 = 170;
const HEAD: u32 = 34;

/// Of each report in turn; told apart by people who see no colours by how light they are.
const COLOURS: [RGBColor; 2] = [RGBColor(28, 88, 172), RGBColor(226, 130, 24)];

/// What is drawn at a point.
type Value = fn(&Point) -> f64;

/// What is drawn of a pool, and what it is called.
const STRIPS: [(&str, Value); 3] = [
    ("used, % of the limit", |point| point.used * 100.0),
    ("waiting, requests", |point| f64::from(point.waiting)),
    ("wait p95, s", |point| point.wait_p95_ms / 1_000.0),
];

/// A picture of these reports, one over the other, as SVG: of each pool what was used, how many waited and how long.
///
/// # Errors
/// Those of the library that draws.
pub fn picture(reports: &[Report]) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut pools = titles(reports);
    pools.truncate(MOST_POOLS);
    let mut svg = String::new();
    {
        let rows = u32::try_from(pools.len()).unwrap_or_default();
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEAD + ROW * rows.max(1))).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, body) = root.split_vertically(HEAD);
        write_head(&head, reports)?;
        for (row, title) in body.split_evenly((pools.len().max(1), 1)).iter().zip(&pools) {
            let of_pool = reports.iter().map(|report| report.pool(title)).collect::<Vec<_>>();
            for (area, (label, value)) in row.split_evenly((1, STRIPS.len())).iter().zip(STRIPS) {
                draw(area, &format!("{title}: {label}"), reports, &of_pool, value)?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

fn write_head(head: &Area<'_>, reports: &[Report]) -> Drawn {
    for (at, (report, colour)) in reports.iter().zip(COLOURS).enumerate() {
        let x = 12 + 400 * i32::try_from(at).unwrap_or_default();
        let style = ("sans-serif", 16).into_font().color(&colour);
        head.draw_text(&report.config, &style, (x, 10))?;
    }
    Ok(())
}

fn draw(area: &Area<'_>, caption: &str, reports: &[Report], of_pool: &[Option<&PoolReport>], value: Value) -> Drawn {
    let lines = reports.iter().zip(of_pool).map(|(report, pool)| line(report.step_s, *pool, value));
    let lines: Vec<Vec<(f64, f64)>> = lines.collect();
    let end = lines.iter().flatten().map(|&(at, _)| at).fold(1e-3, f64::max);
    let most = lines.iter().flatten().map(|&(_, value)| value).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 13))
        .margin(8)
        .margin_right(26)
        .x_label_area_size(22)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..end, 0.0..if most > 0.0 { most * 1.1 } else { 1.0 })?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh().light_line_style(TRANSPARENT).x_labels(6).y_labels(4);
    mesh.x_label_formatter(&|at| clock(*at)).draw()?;
    for (line, colour) in lines.into_iter().zip(COLOURS) {
        chart.draw_series(AreaSeries::new(line, 0.0, colour.mix(0.15)).border_style(colour.stroke_width(1)))?;
    }
    Ok(())
}

fn line(step: f64, pool: Option<&PoolReport>, value: Value) -> Vec<(f64, f64)> {
    let points = pool.map_or(&[][..], |pool| &pool.points);
    let mut at = 0.0;
    let next = |point: &Point| {
        at += step;
        (at, value(point))
    };
    points.iter().map(next).collect()
}

/// Hours, minutes and seconds.
fn clock(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
