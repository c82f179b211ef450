use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::minimal;

/// One way to the upstream: a proxy in a process of its own, or none.
pub(crate) struct Subject {
    name: &'static str,
    address: SocketAddr,
    process: Option<Running>,
}

/// A process that ends with us.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An upstream that answers everything at once.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    _process: Running,
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.address)
    }
}

/// nginx, which answers faster than any subject can ask.
pub(crate) fn nginx_upstream(folder: &Path) -> Result<Upstream> {
    let server = "server { listen ADDR; location / { default_type application/json; return 200 '{\"ok\": true}'; } }";
    let (address, process) = nginx(folder, "upstream", server)?;
    Ok(Upstream { address, _process: process })
}

impl Subject {
    pub(crate) fn direct(upstream: &Upstream) -> Self {
        Self { name: "directly", address: upstream.address, process: None }
    }

    /// nginx with a `limit_req` that never bites.
    pub(crate) fn nginx(folder: &Path, upstream: &Upstream) -> Result<Self> {
        let server = format!(
            "limit_req_zone $server_name zone=all:1m rate=1000000r/s;
             upstream api {{ server {upstream}; keepalive 128; keepalive_requests 1000000; }}
             server {{ listen ADDR; location / {{
                 limit_req zone=all burst=100000;
                 proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off;
             }} }}"
        );
        let (address, process) = nginx(folder, "proxy", &server)?;
        Ok(Self { name: "nginx limit_req", address, process: Some(process) })
    }

    pub(crate) fn minimal(upstream: &Upstream) -> Result<Self> {
        let program = std::env::current_exe()?;
        let command = Command::new(program).args([minimal::FLAG, &upstream.to_string()]).stdout(Stdio::piped()).spawn();
        Self::listening("minimal hyper", command?)
    }

    /// The gate, with a pool that every request takes from and that is never full.
    pub(crate) fn tidegate(folder: &Path, upstream: impl std::fmt::Display) -> Result<Self> {
        let config = "extends = \"none\"\n[pools.bench]\nrequests = [\"10_000_000/min\"]\n\
                      [[routes]]\nmatch = \"* /v1/{*rest}\"\npools = [\"bench\"]\n";
        Self::tidegate_with(folder, upstream, config)
    }

    pub(crate) fn tidegate_with(folder: &Path, upstream: impl std::fmt::Display, config: &str) -> Result<Self> {
        let file = folder.join("tidegate.toml");
        fs::write(&file, config)?;
        let upstream = format!("http://{upstream}");
        let command = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args([
                "serve",
                "--log",
                "error",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--upstream",
                &upstream,
                "--config",
            ])
            .arg(file)
            .stdout(Stdio::piped())
            .spawn();
        Self::listening("tidegate", command?)
    }

    /// Reads where it listens.
    fn listening(name: &'static str, mut child: Child) -> Result<Self> {
        let said = child.stdout.take().context("standard output")?;
        let process = Some(Running(child));
        let mut said = BufReader::new(said).lines();
        let line = said.next().with_context(|| format!("{name} did not start"))??;
        // It may say more, and must not find nobody listening.
        std::thread::spawn(move || said.for_each(drop));
        let (_, address) = line.rsplit_once('/').with_context(|| format!("{name} says {line}"))?;
        Ok(Self { name, address: address.parse()?, process })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.process.is_none()
    }

    /// The processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        let nanos = |entry: fs::DirEntry| {
            let text = fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
        };
        let tasks = self.proc("task").map(|path| fs::read_dir(path).map(|tasks| tasks.flatten().map(nanos).sum()));
        Duration::from_nanos(tasks.and_then(Result::ok).unwrap_or(0))
    }

    pub(crate) fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    pub(crate) fn peak_memory_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> u64 {
        let text = self.proc("status").and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(field));
        value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    fn proc(&self, file: &str) -> Option<String> {
        self.process.as_ref().map(|process| format!("/proc/{}/{file}", process.0.id()))
    }
}

/// Starts nginx as one process, with `ADDR` in `server` replaced by a free port.
fn nginx(folder: &Path, name: &str, server: &str) -> Result<(SocketAddr, Running)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = folder.join(format!("{name}.conf"));
    let (pid, temp) = (folder.join(format!("{name}.pid")), folder.join(name));
    fs::create_dir_all(&temp)?;
    let temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temps = temps.map(|kind| format!("{kind}_temp_path {}/{kind};", temp.display())).concat();
    fs::write(
        &config,
        format!(
            "daemon off; master_process off; error_log stderr crit; pid {}; events {{ worker_connections 8192; }}
             http {{ access_log off; keepalive_requests 10000000; {temps} {} }}",
            pid.display(),
            server.replace("ADDR", &address.to_string())
        ),
    )?;
    let started = Command::new("nginx").arg("-c").arg(&config).arg("-e").arg("/dev/null").spawn();
    let running = Running(started.context("nginx is needed as the peer to measure: apt-get install nginx-light")?);
    let deadline = SystemTime::UNIX_EPOCH.elapsed()? + Duration::from_secs(5);
    while TcpStream::connect(address).is_err() {
        if SystemTime::UNIX_EPOCH.elapsed()? > deadline {
            bail!("nginx does not listen on {address}");
        }
        sleep(Duration::from_millis(10));
    }
    Ok((address, running))
}
