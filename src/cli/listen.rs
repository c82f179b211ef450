use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use anyhow::{Context, Result};
use listenfd::ListenFd;
use tokio::net::TcpListener;

/// Sockets that the gate was started with, by systemd or in the way that systemd does it (`LISTEN_FDS`): the first for apps, the
/// second for admin. They stay open while the gate restarts.
#[derive(Debug, Default)]
pub(super) struct HandedSockets {
    apps: Option<StdListener>,
    admin: Option<StdListener>,
}

impl HandedSockets {
    /// Takes them over. To be called before there are threads: it takes the variables out of the environment.
    pub(super) fn take() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut take = |nth| if nth < handed.len() { handed.take_tcp_listener(nth) } else { Ok(None) };
        Ok(Self { apps: take(0)?, admin: take(1)? })
    }

    /// The one for apps, else a new one at this address.
    pub(super) async fn apps(&mut self, address: SocketAddr) -> Result<TcpListener> {
        listener(self.apps.take(), address, "--listen").await
    }

    /// The one for admin, else a new one at this address.
    pub(super) async fn admin(&mut self, address: SocketAddr) -> Result<TcpListener> {
        listener(self.admin.take(), address, "--admin").await
    }
}

/// A listener there; `flag` is what names the address on the command line.
pub(super) async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    let hint = || format!("cannot listen on {address}: is another one running? {flag} 127.0.0.1:0 picks a free port");
    TcpListener::bind(address).await.with_context(hint)
}

async fn listener(handed: Option<StdListener>, address: SocketAddr, flag: &str) -> Result<TcpListener> {
    let Some(handed) = handed else { return bind(address, flag).await };
    handed.set_nonblocking(true)?;
    Ok(TcpListener::from_std(handed)?)
}
