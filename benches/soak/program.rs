use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The gate or the stand-in, in a process of its own that ends with us.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Program {
    /// Starts it on a free port, and reads where it listens.
    pub(crate) fn start(command: &str, config: &Path, options: &[&str]) -> Result<Self> {
        let program = env!("CARGO_BIN_EXE_tidegate");
        let mut started = Command::new(program);
        let started = started.args([command, "--listen", "127.0.0.1:0"]).args(options).arg("--config").arg(config);
        let mut child = started.stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().context("standard output")?;
        let lines = 1 + usize::from(options.contains(&"--admin"));
        let said = BufReader::new(said).lines().take(lines).collect::<Result<Vec<_>, _>>()?;
        let address = |line: Option<&String>| line.and_then(|line| line.rsplit_once('/')?.1.parse().ok());
        let (listening, admin) = (address(said.first()), address(said.get(1)));
        Ok(Self { child, address: listening.with_context(|| format!("{command} did not start"))?, admin })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn admin(&self) -> Result<SocketAddr> {
        self.admin.context("it has no admin port")
    }

    /// What it answers to this.
    pub(crate) async fn get(&self, address: SocketAddr, path: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: soak\r\nconnection: close\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no answer: {answer:?}"))?;
        Ok(serde_json::from_str(body)?)
    }

    /// The memory it has.
    pub(crate) fn memory_kib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
