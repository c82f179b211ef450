use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

use super::output::output;
use crate::config::{Config, Source};
use crate::gate::{self, Gate};
use crate::meter::Counting;
use tidegate_lab::demo::{DemoResult, DemoTraffic};
use tidegate_lab::mock::{self, Mock, Options};

/// Show what the gate is for: the same batch directly and through it. Needs no key and no network.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How many requests to send.
    #[arg(long, value_name = "N", default_value = "600")]
    requests: NonZeroU32,
    /// How many the upstream takes in a minute.
    #[arg(long, value_name = "N", default_value = "300")]
    limit: NonZeroU32,
    /// How long "a minute" is.
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = humantime::parse_duration)]
    minute: Duration,
    /// How many workers send at once.
    #[arg(long, value_name = "N", default_value = "100")]
    at_once: NonZeroU32,
    /// How the upstream counts.
    #[arg(long, default_value = "sliding", value_parser = mock::counting())]
    window: Counting,
}

/// How often the table gets a line. A guess: people can follow.
const TICK: Duration = Duration::from_secs(1);

impl Demo {
    pub(super) fn run(self) -> Result<()> {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.show())
    }

    async fn show(self) -> Result<()> {
        let (alone, behind) = (self.upstream()?, self.upstream()?);
        let gate = self.gate(serve_mock(&behind).await?)?;
        let direct = DemoTraffic::new(serve_mock(&alone).await?, self.requests.get());
        let gated = DemoTraffic::new(serve_gate(&gate).await?, self.requests.get());
        self.print_head()?;
        let at_once = self.at_once.get();
        let sending = async { tokio::join!(Arc::clone(&direct).send(at_once), Arc::clone(&gated).send(at_once)) };
        let (direct_took, gated_took) = tokio::select! {
            took = sending => took,
            unread = watch(&direct, &gated, &gate) => return unread,
        };
        let direct = DemoResult::new(&direct, &alone.stats(), direct_took);
        let gated = DemoResult::new(&gated, &behind.stats(), gated_took);
        self.print_result(&direct, &gated)?;
        if gated.refused > 0 || gated.failed > 0 {
            bail!(
                "through the gate: {} upstream refusals, {} failures; there should be none",
                gated.refused,
                gated.failed
            );
        }
        Ok(())
    }

    fn upstream(&self) -> Result<Mock> {
        Ok(Mock::new(&self.config()?.settings(), Options { window: self.window, ..Options::default() }))
    }

    fn gate(&self, upstream: SocketAddr) -> Result<Gate> {
        let mut config = self.config()?;
        config.upstream.set_url(&format!("http://{upstream}")).map_err(anyhow::Error::msg)?;
        Ok(Gate::start(&config)?)
    }

    fn config(&self) -> Result<Config> {
        let (limit, minute) = (self.limit, humantime::format_duration(self.minute).to_string().replace(' ', ""));
        // Where the upstream does not count windows one by one, an even pace is safe and a window's worth at once is not.
        let counts_windows = !matches!(self.window, Counting::Bucket | Counting::Counter);
        let shape = if counts_windows { "window" } else { "smooth" };
        let max_waiting = self.requests;
        let text = format!(
            "extends = \"none\"\n[queue]\nmax_waiting = {max_waiting}\nmax_wait = \"1h\"\n\
             [pools.assistants-post]\nrequests = [\"{limit}/{minute}\"]\nshape = \"{shape}\"\n\
             [[routes]]\nmatch = \"POST /v1/threads\"\npools = [\"assistants-post\"]\n"
        );
        Ok(Config::parse(&Source::Text("demo".to_owned()), &text)?)
    }

    fn print_head(&self) -> Result<()> {
        let (requests, at_once, limit) = (self.requests, self.at_once, self.limit);
        let minute = humantime::format_duration(self.minute);
        writeln!(
            output(),
            "An upstream takes {limit} POSTs a minute; here a minute lasts {minute}. {requests} POSTs go to it, {at_once} at a\n\
             time, sent as the OpenAI SDKs send: a refused one is tried again twice.\n\n             \
             directly                    through Tidegate\n   \
             time      answered  429s upstream     answered  429s upstream  waiting"
        )?;
        Ok(())
    }

    fn print_result(&self, direct: &DemoResult, gated: &DemoResult) -> Result<()> {
        let (all, mut out) = (self.requests, output());
        writeln!(out, "\n                             directly    through Tidegate")?;
        let mut line = |what: &str, direct: String, gated: String| writeln!(out, "{what:<24} {direct:>12} {gated:>19}");
        line("answered", format!("{} of {all}", direct.answered), format!("{} of {all}", gated.answered))?;
        line("429s of the upstream", direct.refused.to_string(), gated.refused.to_string())?;
        line("failed for the app", direct.failed.to_string(), gated.failed.to_string())?;
        line("most in any minute", direct.most.to_string(), gated.most.to_string())?;
        line("seconds", format!("{:.1}", direct.took.as_secs_f64()), format!("{:.1}", gated.took.as_secs_f64()))?;
        Ok(writeln!(out)?)
    }
}

async fn serve_mock(mock: &Mock) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(mock.clone().run(listener, std::future::pending()));
    Ok(address)
}

async fn serve_gate(gate: &Gate) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(gate::run(gate.clone(), listener, Duration::ZERO, std::future::pending()));
    Ok(address)
}

/// Prints a line each tick, until nobody reads them.
async fn watch(direct: &DemoTraffic, gated: &DemoTraffic, gate: &Gate) -> Result<()> {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut second = 0;
    loop {
        ticks.tick().await;
        second += 1;
        let (direct, gated) = (direct.counts(), gated.counts());
        writeln!(
            output(),
            "{second:>5} s {:>13} {:>14} {:>12} {:>14} {:>8}",
            direct.answered.load(Relaxed),
            direct.refusals.load(Relaxed),
            gated.answered.load(Relaxed),
            gated.refusals.load(Relaxed),
            gate.admission().snapshot().waiting,
        )?;
    }
}
