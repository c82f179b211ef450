use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use terminal_size::{Width, terminal_size};

use super::words::{blocks, time};
use tidegate_lab::simulate::{LoadPoint, NamedOutcomes, Outcomes, PoolReport, SimulationReport, Waited};

/// Where it is printed, and how wide that is.
pub(super) struct Paper<'o> {
    pub(super) out: &'o mut dyn Write,
    width: usize,
}

/// How wide it is where there is no terminal.
const WIDTH: usize = 100;

/// So many pools get a picture, those that were waited for most.
const PICTURES: usize = 6;

/// So many lines a table has.
const LINES: usize = 20;

/// How wide what stands before a picture is.
const MARGIN: usize = 12;

/// What is drawn at a point, and how its highest is said.
type PointValue = fn(&LoadPoint) -> f64;
type PointLabel = fn(f64) -> String;

/// What is drawn of a pool.
const STRIPS: [(&str, PointValue, PointLabel); 3] = [
    ("used", |point| point.used, |most| format!("{:.0} %", most * 100.0)),
    ("waiting", |point| f64::from(point.waiting), |most| format!("{most:.0}")),
    ("wait p95", |point| point.wait_p95_ms, time),
];

impl<'o> Paper<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        let width = terminal_size().map_or(WIDTH, |(Width(width), _)| width.into());
        Self { out, width }
    }

    /// One report.
    pub(super) fn print(&mut self, traffic: &str, report: &SimulationReport) -> Result<()> {
        let SimulationReport { whole, lasts_s, completed_s, throughput_per_s, .. } = report;
        writeln!(self.out, "traffic   {traffic}: {} of it", time(lasts_s * 1_000.0))?;
        writeln!(self.out, "config    {}", report.config)?;
        writeln!(self.out, "requests  {}", said(whole))?;
        writeln!(self.out, "answered  by {}, {throughput_per_s:.1} a second", time(completed_s * 1_000.0))?;
        writeln!(self.out, "wait      {}", waits(&whole.wait_ms))?;
        self.print_refusals(whole)?;
        self.print_table("pools", &report.pools, |pool| (pool.title(), &pool.outcomes))?;
        self.print_table("routes", &report.routes, named)?;
        self.print_table("clients", &report.clients, named)?;
        for jobs in &report.streams {
            writeln!(self.out, "stream    {}: {} of {} done", jobs.name, jobs.done, jobs.begun)?;
        }
        report.pools.iter().take(PICTURES).try_for_each(|pool| self.picture(pool))
    }

    /// What is to be known besides, and how long it took.
    pub(super) fn end(&mut self, notes: &[&str], took: Duration) -> Result<()> {
        for note in notes {
            writeln!(self.out, "\nnote: {note}")?;
        }
        Ok(writeln!(self.out, "\nsimulated in {}", time(took.as_secs_f64() * 1_000.0))?)
    }

    fn print_refusals(&mut self, whole: &Outcomes) -> Result<()> {
        for (why, times) in &whole.refused {
            writeln!(self.out, "refused   {times} {why}")?;
        }
        if whole.upstream_refused > 0 {
            let (times, failed) = (whole.upstream_refused, whole.failed);
            writeln!(self.out, "upstream  refused {times} times; {failed} requests failed by it")?;
        }
        Ok(())
    }

    fn print_table<T>(&mut self, title: &str, rows: &[T], row: impl Fn(&T) -> (String, &Outcomes)) -> Result<()> {
        let longest = rows.iter().take(LINES).map(|each| row(each).0.chars().count()).max().unwrap_or_default();
        let name_width = longest.max(title.len()).min(self.width.saturating_sub(60).max(20));
        writeln!(
            self.out,
            "\n{title:<name_width$} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9}",
            "requests", "refused", "mean wait", "p95", "p99", "longest"
        )?;
        for (name, Outcomes { requests, refused, failed, wait_ms, .. }) in rows.iter().take(LINES).map(row) {
            let refused = refused.values().sum::<u64>() + failed;
            let [mean, p95, p99, max] = [wait_ms.mean, wait_ms.p95, wait_ms.p99, wait_ms.max].map(time);
            let name = shortened(name, name_width);
            writeln!(self.out, "{name:<name_width$} {requests:>9} {refused:>8} {mean:>9} {p95:>9} {p99:>9} {max:>9}")?;
        }
        if rows.len() > LINES {
            writeln!(self.out, "… and {} more", rows.len() - LINES)?;
        }
        Ok(())
    }

    fn picture(&mut self, pool: &PoolReport) -> Result<()> {
        writeln!(self.out, "\n{}: {}", pool.title(), usage(pool))?;
        for (label, value, most) in STRIPS {
            let values: Vec<f64> = pool.points.iter().map(value).collect();
            let highest = values.iter().copied().fold(0.0, f64::max);
            let line = blocks(&values, self.width.saturating_sub(MARGIN + 10), highest);
            writeln!(self.out, "  {label:<9} {line}  {}", most(highest))?;
        }
        Ok(())
    }
}

/// No wider than this.
fn shortened(name: String, width: usize) -> String {
    if name.chars().count() <= width { name } else { name.chars().take(width - 1).chain(['…']).collect() }
}

fn named(named: &NamedOutcomes) -> (String, &Outcomes) {
    (named.name.clone(), &named.outcomes)
}

fn said(Outcomes { requests, served, shared, refused, failed, .. }: &Outcomes) -> String {
    let refused = refused.values().sum::<u64>();
    let counts = [(*shared, "by another's call"), (refused, "refused"), (*failed, "failed")];
    let rest = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    format!("{requests}: {served} answered{}", rest.collect::<String>())
}

fn waits(Waited { mean, p50, p95, p99, max }: &Waited) -> String {
    let [mean, p50, p95, p99, max] = [*mean, *p50, *p95, *p99, *max].map(time);
    format!("mean {mean}, half {p50}, p95 {p95}, p99 {p99}, longest {max}")
}

/// How full a pool was, and how long its queue.
fn usage(pool: &PoolReport) -> String {
    let limits = pool.limits.iter().map(|used| {
        let (mean, peak) = (used.mean * 100.0, used.peak * 100.0);
        format!("{} used to {mean:.0} % on average, {peak:.0} % at most", used.limit)
    });
    let mut said: Vec<String> = limits.collect();
    if let Some(learned) = &pool.learned {
        said.push(format!("the upstream has taught {learned}"));
    }
    if let Some([from, to]) = pool.full.first() {
        let (all, from, to) = (time(pool.full_s * 1_000.0), time(from * 1_000.0), time(to * 1_000.0));
        said.push(format!("full for {all}, first from {from} to {to}"));
    }
    if pool.longest_line > 0 {
        said.push(format!("at most {} waiting", pool.longest_line));
    }
    said.join("; ")
}
