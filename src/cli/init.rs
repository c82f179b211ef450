use std::io::Write;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::output::output;
use crate::config::{DEFAULT, SCHEMA};

/// Print a configuration to begin with.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The configuration for this provider.
    #[arg(long = "for", value_enum, value_name = "PROVIDER")]
    provider: Option<Provider>,
    /// Print the JSON Schema of the configuration, by which editors complete and check it.
    #[arg(long, conflicts_with = "provider")]
    schema: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Provider {
    Azure,
    Gemini,
    Anthropic,
    Openrouter,
    Ollama,
}

impl Init {
    pub(super) fn run(self) -> Result<()> {
        let text = if self.schema { SCHEMA } else { self.provider.map_or(DEFAULT, Provider::config) };
        Ok(output().write_all(text.as_bytes())?)
    }
}

impl Provider {
    fn config(self) -> &'static str {
        match self {
            Self::Azure => include_str!("../../config/providers/azure.toml"),
            Self::Gemini => include_str!("../../config/providers/gemini.toml"),
            Self::Anthropic => include_str!("../../config/providers/anthropic.toml"),
            Self::Openrouter => include_str!("../../config/providers/openrouter.toml"),
            Self::Ollama => include_str!("../../config/providers/ollama.toml"),
        }
    }
}
