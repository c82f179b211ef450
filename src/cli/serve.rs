use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{ArgAction, Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::in_force::InForce;
use super::listen::HandedSockets;
use super::output::{log_lines, say};
use super::state::{keep_state, share_limits};
use super::stop::StopSignals;
use super::usage_error::UsageError;
use super::{memory, rotation};
use crate::config::{Config, Source, exposures};
use crate::gate::{Gate, Workers};
use crate::reload::{Load, Reloader, watch};
use crate::telemetry::{Filter, tell_lost};
use crate::{admin, gate};

/// Run the gate.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: InForce,
    /// How much to log, to standard error, as in "info" or "tidegate=debug".
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG", default_value = "info")]
    log: String,
    /// Log more: `-v` for debug, `-vv` for trace.
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Log warnings and errors only.
    #[arg(short, long)]
    quiet: bool,
    /// How the log is written.
    #[arg(long, value_enum, env = "TIDEGATE_LOG_FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

impl Serve {
    pub(super) fn run(self) -> Result<()> {
        let log = start_log(self.level(), self.log_format)?;
        let in_force = self.config;
        let config = in_force.load()?;
        let load: Load = Box::new(move || in_force.load());
        let handed = HandedSockets::take()?;
        // For all but the connections of apps, which have threads of their own.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.spawn(log.tell_lost());
        let served = runtime.block_on(serve(config, log.filter.clone(), handed, Some(load)));
        // A name that is being looked up, say, would be waited for.
        runtime.shutdown_background();
        served
    }
}

impl Serve {
    /// `-v` and `-q` win over `--log` and its variable.
    fn level(&self) -> &str {
        match (self.verbose, self.quiet) {
            (0, false) => &self.log,
            (0, true) => "warn",
            (1, _) => "debug",
            _ => "trace",
        }
    }
}

/// The log, until it is dropped.
pub(super) struct StartedLog {
    pub(super) filter: Filter,
    lines: NonBlocking,
    /// Dropped, it writes what is left.
    _thread: WorkerGuard,
}

/// So many lines of the log may be yet to be written. A guess: a few seconds of a gate that tells everything, and 2 MB.
const BEHIND: usize = 10_000;

/// Logs so much, so written, to standard error. A thread of its own writes: no request waits for a reader that does not read.
pub(super) fn start_log(level: &str, format: LogFormat) -> Result<StartedLog> {
    let (filter, layer) = Filter::new(level).map_err(|error| UsageError(format!("--log {level}: {error}")))?;
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(BEHIND);
    let (lines, thread) = builder.thread_name("log").finish(log_lines());
    tracing_subscriber::registry().with(layer).with(format.lines(lines.clone())).init();
    Ok(StartedLog { filter, lines, _thread: thread })
}

impl StartedLog {
    /// Says what is lost, as long as lines are.
    pub(super) fn tell_lost(&self) -> impl Future<Output = ()> + use<> {
        tell_lost(self.lines.error_counter(), |lines, in_all| {
            tracing::warn!(lines, in_all, "whoever reads the log does not keep up: lines are lost");
        })
    }
}

impl LogFormat {
    fn lines<S>(self, to: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let lines = fmt::layer().with_writer(to).with_target(false);
        match self {
            Self::Text => lines.with_ansi(log_lines().is_terminal()).boxed(),
            Self::Json => lines.json().flatten_event(true).boxed(),
        }
    }
}

/// Serves until it is told to stop.
pub(super) async fn serve(config: Config, filter: Filter, mut handed: HandedSockets, load: Option<Load>) -> Result<()> {
    if let Some(own) = config.own_upstream() {
        tracing::error!(%own, "the upstream is the gate's own address: every request goes round in a loop and is answered 508");
    }
    let (mut stop, hangups) = (StopSignals::listen()?, rotation::listen()?);
    raise_open_files();
    let gate = Gate::start(&config)?;
    let config = Arc::new(config);
    let reloader = load.map(|load| Arc::new(Reloader::new(gate.clone(), Arc::clone(&config), load)));
    let stopped = CancellationToken::new();
    let keeping = keep_state(&config, gate.admission(), stopped.clone())?;
    let sharing = share_limits(&config, &gate, stopped.clone());
    let workers = Workers::start()?;
    let listener = handed.apps(config.server.listen).await?;
    let address = listener.local_addr()?;
    say(&format!("listening on http://{address}"));
    exposures(&config).iter().for_each(|exposure| tracing::warn!("{exposure}"));
    if let Some(admin) = config.server.admin {
        let listener = handed.admin(admin).await?;
        say(&format!("admin on http://{}", listener.local_addr()?));
        let watched = admin::AdminState::new(&config, gate.clone()).listening_at(address).with_filter(filter);
        let watched = Arc::new(watched.with_reloader(reloader.clone()));
        // It is there to the end: that the gate is draining is worth asking about.
        tokio::spawn(admin::run(watched, listener, stopped.clone().cancelled_owned()));
    }
    tracing::info!(config = %config.source, upstream = %config.upstream.url, "apps: OPENAI_BASE_URL=http://{address}/v1");
    tokio::spawn(stopped.clone().run_until_cancelled_owned(memory::give_back(gate.clone())));
    if let (Some(reloader), Source::File(file), true) = (&reloader, &config.source, config.server.watch) {
        tokio::spawn(stopped.clone().run_until_cancelled_owned(watch(Arc::clone(reloader), file.clone())));
    }
    rotation::heed(hangups, &config.log, &gate, reloader, stopped.clone());
    let ended = serve_until_told(workers, gate.clone(), listener, config.server.drain, &mut stop).await;
    stopped.cancel();
    for ending in [keeping, sharing].into_iter().flatten() {
        tokio::select! {
            ended = ending => ended?,
            () = stop.asked() => {}
        }
    }
    gate.telemetry().close().await;
    ended
}

/// Serves, and once it is told to stop, lets what is under way end.
async fn serve_until_told(
    workers: Workers,
    gate: Gate,
    listener: TcpListener,
    drain: Duration,
    stop: &mut StopSignals,
) -> Result<()> {
    let stopping = CancellationToken::new();
    let mut serving = std::pin::pin!(gate::run_on(workers, gate, listener, drain, stopping.clone().cancelled_owned()));
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stop.asked() => {}
    }
    tracing::info!(drain_s = drain.as_secs(), "stopping: nothing new is taken; a second signal ends at once");
    stopping.cancel();
    tokio::select! {
        ended = serving => Ok(ended?),
        () = stop.asked() => bail!("ended at once, by a second signal"),
    }
}

/// A client that waits is an open file, and shells allow 1,024 of them where the system allows many more.
pub(super) fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}
