use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, LoadError};

/// Where the configuration is.
#[derive(Debug, Default, Args)]
pub(super) struct ConfigArgs {
    /// The configuration file, or - for standard input. Without it: ./tidegate.toml, /etc/tidegate/tidegate.toml, or the built-in one.
    #[arg(short, long, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    pub(super) fn load(&self) -> Result<Config, LoadError> {
        Config::load(self.config.as_deref())
    }

    /// Whether a file is named on the command line or in the environment.
    pub(super) fn is_named(&self) -> bool {
        self.config.is_some()
    }

    /// The same, but for a file that is named here.
    pub(super) fn or(self, file: Option<PathBuf>) -> Self {
        Self { config: file.or(self.config) }
    }
}
