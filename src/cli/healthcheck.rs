use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use http::{Request, Uri};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// Ask a running gate whether it is well; for containers that have no curl.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// Its admin address; a full URL or what TIDEGATE_ADMIN says for `serve`.
    #[arg(long, value_name = "URL", env = "TIDEGATE_ADMIN", default_value = "http://127.0.0.1:4291")]
    admin: String,
}

const PATIENCE: Duration = Duration::from_secs(3);

impl Healthcheck {
    pub(super) fn run(&self) -> Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.ask())
    }

    async fn ask(&self) -> Result<()> {
        if self.admin == "off" {
            bail!("this gate has its admin port off, and nothing else tells whether it is well");
        }
        let scheme = if self.admin.contains("://") { "" } else { "http://" };
        let url: Uri = format!("{scheme}{}/healthz", self.admin.trim_end_matches('/')).parse()?;
        let request = Request::get(url.clone()).body(Empty::<bytes::Bytes>::new())?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = tokio::time::timeout(PATIENCE, client.request(request)).await;
        let answer = answer.with_context(|| format!("{url} does not answer"))?;
        let status = answer.with_context(|| format!("{url} cannot be reached"))?.status();
        if !status.is_success() {
            bail!("{url} answers {status}");
        }
        println!("well");
        Ok(())
    }
}
