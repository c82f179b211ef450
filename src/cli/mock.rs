use std::net::SocketAddr;

use anyhow::Result;
use clap::Args;

use super::config_args::ConfigArgs;
use super::listen::bind;
use super::output::say;
use super::stop::StopSignals;
use tidegate_lab::mock::{Mock, Options};

/// Run a stand-in for api.openai.com that enforces limits, to test against.
#[derive(Debug, Args)]
pub(super) struct MockArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where to listen; port 0 picks a free one.
    #[arg(short, long, value_name = "ADDR", default_value = "127.0.0.1:4292")]
    listen: SocketAddr,
    #[command(flatten)]
    options: Options,
}

impl MockArgs {
    pub(super) fn run(self) -> Result<()> {
        let config = self.config.load()?;
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
            let mut stop = StopSignals::listen()?;
            let listener = bind(self.listen, "--listen").await?;
            say(&format!("listening on http://{}", listener.local_addr()?));
            Ok(Mock::new(&config.settings(), self.options).run(listener, async move { stop.asked().await }).await?)
        })
    }
}
