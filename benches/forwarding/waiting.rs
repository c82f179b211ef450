use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::mb;
use crate::process::{Subject, nginx_upstream};

const WAITING: u32 = 9_900;
const PATIENCE: Duration = Duration::from_mins(1);

/// What a request that waits costs, and whether the memory comes back when its client has gone.
pub(crate) async fn measure(folder: &Path) -> Result<()> {
    let upstream = nginx_upstream(folder)?;
    let config = "extends = \"none\"\n[queue]\nmax_waiting = 20000\nmax_wait = \"8000h\"\n[pools.bench]\nrequests = [\"2/h\"]\n\
                  [[routes]]\nmatch = \"* /v1/{*rest}\"\npools = [\"bench\"]\n";
    let gate = Subject::tidegate_with(folder, &upstream, config)?;
    for _ in 0..2 {
        let mut answered = post(&gate).await?;
        let _length = timeout(PATIENCE, answered.read(&mut [0; 64])).await??;
    }
    let idle = gate.memory_kib();
    let mut clients = Vec::new();
    for _ in 0..WAITING {
        clients.push(post(&gate).await?);
    }
    settle(&gate).await;
    let full = gate.memory_kib();
    drop(clients);
    // It looks every five seconds whether a crowd has left.
    sleep(Duration::from_secs(12)).await;
    let after = gate.memory_kib();
    println!("{WAITING} waiting requests of 1 KB, each on a connection of its own");
    println!("before    {:>8.1} MB", mb(idle));
    println!("waiting   {:>8.1} MB, {:.1} KB a request", mb(full), mb(full - idle) * 1_000.0 / f64::from(WAITING));
    println!("all left  {:>8.1} MB", mb(after));
    Ok(())
}

async fn post(gate: &Subject) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(gate.address()).await?;
    let body = " ".repeat(1_024);
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer sk-bench\r\ncontent-length: 1024";
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
    Ok(stream)
}

/// Until it has done what there was to do.
async fn settle(gate: &Subject) {
    let mut before = Duration::MAX;
    while gate.cpu() != before {
        before = gate.cpu();
        sleep(Duration::from_millis(500)).await;
    }
}
