use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

/// A listener there; `flag` is what names the address on the command line.
pub(super) async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    let hint = || format!("cannot listen on {address}: is another one running? {flag} 127.0.0.1:0 picks a free port");
    TcpListener::bind(address).await.with_context(hint)
}
