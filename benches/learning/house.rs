use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tidegate::config::{Config, Source};
use tidegate::gate::{self, Gate};
use tidegate_lab::mock::{Mock, Options};
use tokio::net::TcpListener;

/// A stand-in for the upstream, and a gate before it.
pub(crate) struct House {
    pub(crate) mock: Mock,
    pub(crate) address: SocketAddr,
}

impl House {
    /// The upstream has the limits of the one text, the gate those of the other.
    pub(crate) async fn open(upstream: &str, options: Options, gate: &str) -> Result<Self> {
        let config = |text: &str| Config::parse(&Source::Text("bench".to_owned()), text);
        let mock = Mock::new(&config(upstream)?.settings(), options);
        let (listener, address) = bind().await?;
        tokio::spawn(mock.clone().run(listener, std::future::pending()));
        let mut config = config(gate)?;
        config.upstream.set_url(&format!("http://{address}")).map_err(anyhow::Error::msg)?;
        let (listener, address) = bind().await?;
        tokio::spawn(gate::run(Gate::start(&config)?, listener, Duration::ZERO, std::future::pending()));
        Ok(Self { mock, address })
    }
}

async fn bind() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
