use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::config_args::ConfigArgs;
use super::usage_error::UsageError;
use crate::config::{Collector, Config};

/// What decides the configuration: flags win over the environment, and both over the file.
#[derive(Debug, Args)]
pub(super) struct InForce {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where apps find the gate; port 0 picks a free one [default: 127.0.0.1:4290].
    #[arg(short, long, value_name = "ADDR", env = "TIDEGATE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where people and probes find it, or "off" [default: 127.0.0.1:4291].
    #[arg(long, value_name = "ADDR|off", env = "TIDEGATE_ADMIN", hide_env_values = true)]
    admin: Option<String>,
    /// Where requests go [default: https://api.openai.com].
    #[arg(long, value_name = "URL", env = "TIDEGATE_UPSTREAM", hide_env_values = true)]
    upstream: Option<String>,
}

impl InForce {
    /// The same with this file, if one is named.
    pub(super) fn with_file(self, file: Option<PathBuf>) -> Self {
        Self { config: self.config.or(file), ..self }
    }

    /// Whether the address for apps is given.
    pub(super) fn is_address(&self) -> bool {
        self.listen.is_some()
    }

    /// Whether the address for admin is given.
    pub(super) fn is_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// Whether an upstream is given.
    #[cfg(feature = "lab")]
    pub(super) fn is_upstream(&self) -> bool {
        self.upstream.is_some()
    }

    /// Whether a gate with the one configuration is not what is meant, as another is asked for.
    pub(super) fn is_other_than(&self, running_hash: &str, hash: &str) -> bool {
        self.upstream.is_some() || (self.config.is_named() && running_hash != hash)
    }

    pub(super) fn load(&self) -> Result<Config> {
        let mut config = self.config.load()?;
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        if let Some(admin) = &self.admin {
            // What was given may have a password in it, and is not said.
            let address = || admin.parse().map_err(|error| UsageError(format!("--admin: {error}, and not \"off\"")));
            config.server.admin = if admin == "off" { None } else { Some(address()?) };
        }
        if let Some(upstream) = &self.upstream {
            config.upstream.set_url(upstream).map_err(|error| UsageError(format!("--upstream: {error}")))?;
        }
        if let Some(collector) = collector()? {
            config.log.otlp = Some(collector);
        }
        Ok(config)
    }
}

/// Where traces go by the variables that OpenTelemetry has for it (its specification, "OTLP Exporter Configuration").
fn collector() -> Result<Option<Collector>> {
    type New = fn(&str) -> Result<Collector, String>;
    const VARIABLES: [(&str, New); 2] =
        [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Collector::of_traces), ("OTEL_EXPORTER_OTLP_ENDPOINT", Collector::new)];
    let set = |(name, new): (&'static str, New)| {
        let url = std::env::var(name).ok().filter(|url| !url.is_empty())?;
        Some(new(&url).map_err(|error| UsageError(format!("{name}: {error}"))))
    };
    Ok(VARIABLES.into_iter().find_map(set).transpose()?)
}
