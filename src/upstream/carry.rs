use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::sleep;

/// How long nothing may come of the side that is left once the other has ended. A guess: Linux keeps a connection as long
/// whose program has closed it (`tcp_fin_timeout`).
const HALF_CLOSED: Duration = Duration::from_mins(1);

/// How much is carried at once. As tokio's `copy_bidirectional`.
const PIECE: usize = 8 << 10;

/// Carries bytes both ways until both sides have ended, or one has and nothing more comes of the other.
///
/// A connection without a word is carried for as long as both sides are there: the system's keep-alive probes ask that.
///
/// # Errors
/// One side broke off, or nothing came of it any more.
pub async fn carry<A, B>(one: A, other: B) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let ((one_reads, one_writes), (other_reads, other_writes)) = (split(one), split(other));
    let pieces = AtomicU64::new(0);
    let mut there = pin!(copy(one_reads, other_writes, &pieces));
    let mut back = pin!(copy(other_reads, one_writes, &pieces));
    tokio::select! {
        ended = &mut there => { ended?; finish(back, &pieces).await }
        ended = &mut back => { ended?; finish(there, &pieces).await }
    }
}

async fn copy(reads: impl AsyncRead, writes: impl AsyncWrite, pieces: &AtomicU64) -> io::Result<()> {
    let (mut reads, mut writes) = (pin!(reads), pin!(writes));
    let mut piece = vec![0; PIECE];
    loop {
        match reads.read(&mut piece).await? {
            0 => return writes.shutdown().await,
            length => writes.write_all(&piece[..length]).await?,
        }
        writes.flush().await?;
        pieces.fetch_add(1, Ordering::Relaxed);
    }
}

async fn finish(mut last: impl Future<Output = io::Result<()>> + Unpin, pieces: &AtomicU64) -> io::Result<()> {
    loop {
        let before = pieces.load(Ordering::Relaxed);
        tokio::select! {
            ended = &mut last => return ended,
            () = sleep(HALF_CLOSED) => {}
        }
        if pieces.load(Ordering::Relaxed) == before {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "one side has ended, and nothing came of the other"));
        }
    }
}
