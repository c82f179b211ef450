use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::in_force::InForce;
use super::listen::bind;
use super::output::{log_lines, say};
use super::stop::StopSignals;
use super::usage_error::UsageError;
use super::{memory, rotation};
use crate::admission::Admission;
use crate::config::Config;
use crate::gate::Gate;
use crate::store::{StatePlace, Store};
use crate::telemetry::Filter;
use crate::{admin, gate, store};

/// Run the gate.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: InForce,
    /// How much to log, to standard error, as in "info" or "tidegate=debug".
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG", default_value = "info")]
    log: String,
    /// How the log is written.
    #[arg(long, value_enum, env = "TIDEGATE_LOG_FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Serve {
    pub(super) fn run(self) -> Result<()> {
        let filter = self.start_log()?;
        let config = self.config.load()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let served = runtime.block_on(serve(config, filter));
        // A name that is being looked up, say, would be waited for.
        runtime.shutdown_background();
        served
    }

    fn start_log(&self) -> Result<Filter> {
        let (filter, layer) =
            Filter::new(&self.log).map_err(|error| UsageError(format!("--log {}: {error}", self.log)))?;
        tracing_subscriber::registry().with(layer).with(self.log_format.lines()).init();
        Ok(filter)
    }
}

impl LogFormat {
    fn lines<S>(self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let lines = fmt::layer().with_writer(log_lines).with_target(false);
        match self {
            Self::Text => lines.with_ansi(log_lines().is_terminal()).boxed(),
            Self::Json => lines.json().flatten_event(true).boxed(),
        }
    }
}

async fn serve(config: Config, filter: Filter) -> Result<()> {
    let (mut stop, hangups) = (StopSignals::listen()?, rotation::listen()?);
    raise_open_files();
    let gate = Gate::start(&config)?;
    let stopped = CancellationToken::new();
    let keeping = keep_state(&config, gate.admission(), stopped.clone())?;
    let listener = bind(config.server.listen, "--listen").await?;
    let address = listener.local_addr()?;
    say(&format!("listening on http://{address}"));
    if let Some(admin) = config.server.admin {
        let listener = bind(admin, "--admin").await?;
        say(&format!("admin on http://{}", listener.local_addr()?));
        let watched = admin::AdminState::new(&config, gate.clone()).with_filter(filter);
        // It is there to the end: that the gate is draining is worth asking about.
        tokio::spawn(admin::run(watched, listener, stopped.clone().cancelled_owned()));
    }
    tracing::info!(config = %config.source, upstream = %config.upstream.url, "apps: OPENAI_BASE_URL=http://{address}/v1");
    tokio::spawn(stopped.clone().run_until_cancelled_owned(memory::give_back(gate.clone())));
    rotation::heed(hangups, &config.log, &gate, stopped.clone());
    let ended = serve_until_told(gate.clone(), listener, config.server.drain, &mut stop).await;
    stopped.cancel();
    if let Some(keeping) = keeping {
        tokio::select! {
            kept = keeping => kept?,
            () = stop.asked() => {}
        }
    }
    gate.telemetry().close().await;
    ended
}

/// Serves, and once it is told to stop, lets what is under way end.
async fn serve_until_told(gate: Gate, listener: TcpListener, drain: Duration, stop: &mut StopSignals) -> Result<()> {
    let stopping = CancellationToken::new();
    let mut serving = std::pin::pin!(gate::run(gate, listener, drain, stopping.clone().cancelled_owned()));
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

/// What was so before the start holds again, and what is so from now on is kept.
fn keep_state(
    config: &Config,
    admission: &Admission,
    stopped: CancellationToken,
) -> Result<Option<JoinHandle<()>>, store::UnusableFile> {
    let Some(mut store) = open_store(config)? else {
        if config.store.starts_full {
            admission.start_full();
        }
        return Ok(None);
    };
    store.begin(admission, config.store.starts_full);
    Ok(Some(tokio::spawn(store.keep(admission.clone(), stopped))))
}

/// The store, if there is to be one. Where the configuration does not name it, a gate that has none goes on without.
fn open_store(config: &Config) -> Result<Option<Store>, store::UnusableFile> {
    match StatePlace::find(&config.store.path, config.server.listen) {
        StatePlace::Named(path) => Store::open(&path, config).map(Some),
        StatePlace::Usual(path) => {
            let made = path.parent().map_or(Ok(()), make_folder);
            let opened = made.map_err(|error| error.to_string());
            match opened.and_then(|()| Store::open(&path, config).map_err(|error| error.to_string())) {
                Ok(store) => Ok(Some(store)),
                Err(why) => {
                    tracing::warn!("a restart will forget what is used of the limits: {why}");
                    Ok(None)
                }
            }
        }
        StatePlace::Off(why) => {
            tracing::info!("a restart will forget what is used of the limits: {why}");
            Ok(None)
        }
    }
}

/// Only the gate's own user reads there.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A client that waits is an open file, and shells allow 1,024 of them where the system allows many more.
fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}
