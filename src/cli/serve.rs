use std::io::{Write, stdout};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::stop::Stop;
use super::{ConfigArgs, Usage};
use crate::config::Config;
use crate::{admin, proxy};

/// Run the gate.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where apps find the gate; port 0 picks a free one [default: 127.0.0.1:4290].
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where people and probes find it, or "off" [default: 127.0.0.1:4291].
    #[arg(long, value_name = "ADDR|off", env = "TIDEGATE_ADMIN")]
    admin: Option<String>,
    /// Where requests go [default: https://api.openai.com].
    #[arg(long, value_name = "URL", env = "TIDEGATE_UPSTREAM")]
    upstream: Option<String>,
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
        self.start_log()?;
        let config = self.in_force()?;
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config))
    }

    fn start_log(&self) -> Result<()> {
        let filter = EnvFilter::try_new(&self.log).map_err(|error| Usage(format!("--log {}: {error}", self.log)))?;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
        Ok(())
    }

    /// Flags win over the environment, and both over the file.
    fn in_force(&self) -> Result<Config> {
        let mut config = self.config.load()?;
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        if let Some(admin) = &self.admin {
            let address = || admin.parse().map_err(|error| Usage(format!("--admin {admin}: {error}, and not \"off\"")));
            config.server.admin = if admin == "off" { None } else { Some(address()?) };
        }
        if let Some(upstream) = &self.upstream {
            config.upstream.set_url(upstream).map_err(|error| Usage(format!("--upstream {upstream}: {error}")))?;
        }
        Ok(config)
    }
}

async fn serve(config: Config) -> Result<()> {
    let mut stop = Stop::listen()?;
    let gate = proxy::Gate::start(&config)?;
    let listener = bind(config.server.listen, "--listen").await?;
    let stopping = CancellationToken::new();
    let address = listener.local_addr()?;
    say(&format!("listening on http://{address}"));
    if let Some(admin) = config.server.admin {
        let listener = bind(admin, "--admin").await?;
        say(&format!("admin on http://{}", listener.local_addr()?));
        let watched = admin::Watched::new(&config, gate.admission().clone());
        tokio::spawn(admin::run(watched, listener, stopping.clone().cancelled_owned()));
    }
    tracing::info!(config = %config.source, upstream = %config.upstream.url, "apps: OPENAI_BASE_URL=http://{address}/v1");
    let stopped = stopping.clone();
    let serving = proxy::run(gate, listener, config.server.drain, async move { stopped.cancelled().await });
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stop.asked() => {}
    }
    tracing::info!(
        drain_s = config.server.drain.as_secs(),
        "stopping: nothing new is taken; a second signal ends at once"
    );
    stopping.cancel();
    tokio::select! {
        ended = serving => Ok(ended?),
        () = stop.asked() => bail!("ended at once, by a second signal"),
    }
}

/// Says it on standard output. That nobody may be reading there is no reason to stop.
fn say(line: &str) {
    drop(writeln!(stdout(), "{line}"));
}

async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    let hint = || format!("cannot listen on {address}: is another gate running? {flag} 127.0.0.1:0 picks a free port");
    TcpListener::bind(address).await.with_context(hint)
}
