use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, LoadError};

/// Where the configuration is.
#[derive(Debug, Default, Args)]
pub(super) struct ConfigArgs {
    /// The configuration file. Without it: ./tidegate.toml, /etc/tidegate/tidegate.toml, or the built-in one.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    pub(super) fn load(&self) -> Result<Config, LoadError> {
        Config::load(self.config.as_deref())
    }
}
