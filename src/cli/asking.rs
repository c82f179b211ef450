use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::admin::Status;

/// Which running gate is asked.
#[derive(Clone, Debug, Args)]
pub(super) struct AdminArgs {
    /// Its admin address; a full URL or what TIDEGATE_ADMIN says for `serve`.
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEGATE_ADMIN",
        hide_env_values = true,
        default_value = "http://127.0.0.1:4291",
        value_parser = AdminAddress
    )]
    pub(super) admin: String,
}

/// What an admin address is parsed by; what clap says by itself of one that is none has it in it, and its password.
#[derive(Clone)]
pub(super) struct AdminAddress;

/// A gate says how it is in a few megabytes at most, however many pool instances it has. A guess: a bound against what
/// is no gate.
const MOST: usize = 256 << 20;

impl TypedValueParser for AdminAddress {
    type Value = String;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        let refused = |why: &str| clap::Error::raw(ErrorKind::ValueValidation, why).with_cmd(command);
        let address = value.to_str().ok_or_else(|| refused("--admin is no text\n"))?;
        if address.contains('@') || address.contains("%40") {
            return Err(refused("--admin names a user, and a gate asks for none: leave out what is before the @\n"));
        }
        if address.contains(['?', '#']) {
            return Err(refused(
                "--admin has a query, and a gate asks for none: leave out what is behind the address\n",
            ));
        }
        Ok(address.to_owned())
    }
}

impl AdminArgs {
    /// The page at this path, in so much time.
    pub(super) async fn page(&self, path: &str, patience: Duration) -> Result<bytes::Bytes> {
        if self.admin == "off" {
            bail!("this gate has its admin port off, and nothing else tells how it is");
        }
        let url = self.url(path);
        let page = tokio::time::timeout(patience, fetch(&url)).await;
        page.with_context(|| format!("{url} does not answer"))?
    }

    /// How the gate is.
    pub(super) async fn status(&self, patience: Duration) -> Result<Status> {
        self.status_at("/status", patience).await
    }

    /// The same, with what the next request of the client with this label would meet.
    pub(super) async fn status_for(&self, client: &str, patience: Duration) -> Result<Status> {
        self.status_at(&format!("/status?client={client}"), patience).await
    }

    async fn status_at(&self, path: &str, patience: Duration) -> Result<Status> {
        let page = self.page(path, patience).await?;
        let other = || format!("{} is no gate of this version", self.url("/status"));
        serde_json::from_slice(&page).with_context(other)
    }

    fn url(&self, path: &str) -> String {
        let scheme = if self.admin.contains("://") { "" } else { "http://" };
        format!("{scheme}{}{path}", self.admin.trim_end_matches('/'))
    }
}

async fn fetch(url: &str) -> Result<bytes::Bytes> {
    let request = Request::get(url).body(Empty::<bytes::Bytes>::new())?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.with_context(|| format!("{url} cannot be reached"))?;
    if !answer.status().is_success() {
        bail!("{url} answers {}", answer.status());
    }
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    Ok(body.map_err(anyhow::Error::from_boxed)?.to_bytes())
}
