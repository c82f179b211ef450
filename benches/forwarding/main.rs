//! What forwarding costs: the gate beside nginx and a minimal hyper proxy, all in one run, one after the other in turns.
//!
//! `cargo bench --bench forwarding` (or `make bench`, which installs nginx first). Timings of a shared machine are noisy:
//! the ratios of one run are what counts.

mod load;
mod minimal;
mod process;
mod stream;
mod waiting;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use process::Subject;
use tokio::runtime::{Builder, Runtime};

/// How often each figure is taken; the table shows the median.
const ROUNDS: usize = 7;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(minimal::FLAG) {
        return minimal::run(&args.next().unwrap_or_default());
    }
    let folder = tempfile::tempdir()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    forwarding(&runtime, folder.path())?;
    streams(&runtime, folder.path())?;
    runtime.block_on(waiting::measure(folder.path()))
}

/// CPU, latency and memory of POSTs of 1 KB.
fn forwarding(runtime: &Runtime, folder: &Path) -> Result<()> {
    let upstream = process::nginx_upstream(folder)?;
    let subjects = [
        Subject::direct(&upstream),
        Subject::nginx(folder, &upstream)?,
        Subject::minimal(&upstream)?,
        Subject::tidegate(folder, &upstream)?,
    ];
    let idle: Vec<u64> = subjects.iter().map(Subject::memory_kib).collect();
    let mut figures: Vec<Figures> = subjects.iter().map(|_| Figures::default()).collect();
    for round in 0..=ROUNDS {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            let before = subject.cpu();
            let wall = runtime.block_on(load::crowd(subject.address(), 64, load::REQUESTS))?;
            let cpu = subject.cpu().saturating_sub(before);
            let p50 = runtime.block_on(load::one_by_one(subject.address(), 2_000))?;
            // The first round warms up.
            if round > 0 {
                figures.cpu.push(cpu.as_secs_f64() * 10_000.0 / f64::from(load::REQUESTS));
                figures.rate.push(f64::from(load::REQUESTS) / wall.as_secs_f64());
                figures.p50.push(p50.as_secs_f64() * 1e6);
            }
        }
    }
    let figures: Vec<[f64; 3]> =
        figures.into_iter().map(|figures| [figures.cpu, figures.rate, figures.p50].map(median)).collect();
    let (direct, nginx) = (figures[0], figures[1]);
    println!("POSTs of 1 KB, 64 connections; added p50 with one connection; median of {ROUNDS} rounds in turns");
    println!("                CPU s/10,000   × nginx   requests/s   added p50   idle MB   peak MB");
    for ((subject, idle), [cpu, rate, p50]) in subjects.iter().zip(idle).zip(&figures) {
        if !subject.is_direct() {
            println!(
                "{:<15} {cpu:>12.3} {:>9.2} {rate:>12.0} {:>8.0} µs {:>9.1} {:>9.1}",
                subject.name(),
                cpu / nginx[0],
                p50 - direct[2],
                mb(idle),
                mb(subject.peak_memory_kib()),
            );
        }
    }
    println!("(directly: {:.0} requests/s, p50 {:.0} µs)\n", direct[1], direct[2]);
    Ok(())
}

/// Server-sent events, each with the time of its sending.
fn streams(runtime: &Runtime, folder: &Path) -> Result<()> {
    let upstream = stream::upstream()?;
    let gate = Subject::tidegate(folder, upstream)?;
    let mut rows: [Vec<[f64; 3]>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (address, rows) in [upstream, gate.address()].into_iter().zip(&mut rows) {
            let seen = runtime.block_on(stream::listen(address))?;
            rows.push([seen.p50.as_secs_f64() * 1e3, seen.p99.as_secs_f64() * 1e3, seen.alone * 100.0]);
        }
    }
    println!("{} streams of server-sent events; median of {ROUNDS} rounds in turns", stream::STREAMS);
    println!("                  p50 ms    p99 ms   one event a read");
    let middle = |rows: &[[f64; 3]], column: usize| median(rows.iter().map(|row| row[column]).collect());
    for (name, rows) in ["directly", "tidegate"].iter().zip(&rows) {
        println!("{name:<15} {:>8.3} {:>9.3} {:>16.2} %", middle(rows, 0), middle(rows, 1), middle(rows, 2));
    }
    println!("added p99       {:>18.3}\n", middle(&rows[1], 1) - middle(&rows[0], 1));
    Ok(())
}

#[derive(Default)]
struct Figures {
    cpu: Vec<f64>,
    rate: Vec<f64>,
    p50: Vec<f64>,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn mb(kib: u64) -> f64 {
    Duration::from_micros(kib * 1_024).as_secs_f64()
}
