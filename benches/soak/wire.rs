use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// The wire between the gate and the stand-in, and how many requests have begun on it.
///
/// The stand-in itself does not see a request whose connection has ended by the time it reads the head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    begun: Arc<AtomicU64>,
}

/// What every request of the crowd has once in its head, as the gate writes it.
const MARK: &[u8] = b"\r\nx-soak: ";

impl Wire {
    /// Leads from the address that it gives to `upstream`.
    pub(crate) async fn to(&self, upstream: SocketAddr) -> Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (wire, address) = (self.clone(), listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((gate, _)) = listener.accept().await {
                let wire = wire.clone();
                // That either side closes it is how a connection ends here.
                tokio::spawn(async move { drop(wire.carry(gate, upstream).await) });
            }
        });
        Ok(address)
    }

    /// How many requests have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    async fn carry(&self, mut gate: TcpStream, upstream: SocketAddr) -> io::Result<()> {
        gate.set_nodelay(true)?;
        let mut upstream = TcpStream::connect(upstream).await?;
        upstream.set_nodelay(true)?;
        let ((from_gate, mut to_gate), (mut from_upstream, to_upstream)) = (gate.split(), upstream.split());
        tokio::select! {
            carried = self.count(from_gate, to_upstream) => carried,
            copied = copy(&mut from_upstream, &mut to_gate) => copied.map(drop),
        }
    }

    async fn count(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let (mut read, mut seen) = (Vec::new(), 0);
        while from.read_buf(&mut read).await? > 0 {
            let marks = read.windows(MARK.len()).filter(|window| *window == MARK).count();
            self.begun.fetch_add(marks as u64, Relaxed);
            to.write_all(&read[seen..]).await?;
            // A mark may come in two pieces.
            read.drain(..read.len().saturating_sub(MARK.len() - 1));
            seen = read.len();
        }
        Ok(())
    }
}
