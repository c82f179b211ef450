use anyhow::Result;

use super::print::Paper;
use super::words::time;
use tidegate_lab::simulate::{PoolReport, SimulationReport, titles};

/// So many pools are compared, those of the first that were waited for most before the others.
const POOLS: usize = 12;

/// Two reports side by side.
pub(super) fn print(paper: &mut Paper<'_>, traffic: &str, reports: &[SimulationReport; 2]) -> Result<()> {
    let [one, other] = reports;
    writeln!(paper.out, "traffic   {traffic}: {} of it", time(one.lasts_s * 1_000.0))?;
    writeln!(paper.out, "A         {}\nB         {}\n", one.config, other.config)?;
    let mut line = |what: &str, of: &dyn Fn(&SimulationReport) -> String| {
        let line = format!("{what:<40} {:>14} {:>14}", of(one), of(other));
        writeln!(paper.out, "{}", line.trim_end())
    };
    line("", &|report| if std::ptr::eq(report, one) { "A".to_owned() } else { "B".to_owned() })?;
    line("requests", &|report| report.whole.requests.to_string())?;
    line("answered", &|report| (report.whole.served + report.whole.shared).to_string())?;
    line("  of these by another's call", &|report| report.whole.shared.to_string())?;
    line("refused", &|report| report.refused().to_string())?;
    line("refusals of the upstream", &|report| report.whole.upstream_refused.to_string())?;
    line("all answered by", &|report| time(report.completed_s * 1_000.0))?;
    line("answered a second", &|report| format!("{:.1}", report.throughput_per_s))?;
    line("wait, mean", &|report| time(report.whole.wait_ms.mean))?;
    line("wait, p95", &|report| time(report.whole.wait_ms.p95))?;
    line("wait, longest", &|report| time(report.whole.wait_ms.max))?;
    for title in titles(reports).iter().take(POOLS) {
        let of =
            |report: &SimulationReport, say: fn(&PoolReport) -> String| report.pool(title).map_or("-".to_owned(), say);
        line("", &|_| String::new())?;
        line(title, &|_| String::new())?;
        line("  requests", &|report| of(report, |pool| pool.outcomes.requests.to_string()))?;
        line("  used, on average", &|report| of(report, used))?;
        line("  wait, mean", &|report| of(report, |pool| time(pool.outcomes.wait_ms.mean)))?;
        line("  wait, p95", &|report| of(report, |pool| time(pool.outcomes.wait_ms.p95)))?;
        line("  longest line", &|report| of(report, |pool| pool.longest_line.to_string()))?;
        line("  full for", &|report| of(report, |pool| time(pool.full_s * 1_000.0)))?;
    }
    Ok(())
}

/// Of the limit that is used most.
fn used(pool: &PoolReport) -> String {
    let most = pool.limits.iter().map(|used| used.mean).fold(0.0, f64::max);
    format!("{:.0} %", most * 100.0)
}
