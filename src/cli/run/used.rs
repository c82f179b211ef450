use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, AdminState, Status};
use crate::cli::asking::AdminArgs;
use crate::cli::in_force::InForce;
use crate::cli::listen::bind;
use crate::cli::output::complain;
use crate::cli::state::{keep_state, share_limits};
use crate::config::Config;
use crate::gate::{self, Gate};
use crate::telemetry::Filter;

/// The gate that the command uses.
pub(super) enum UsedGate {
    /// One that ran before and goes on.
    Running { address: SocketAddr, admin: AdminArgs },
    /// One for this command alone.
    Own(Box<OwnGate>),
}

/// A gate in this process.
pub(super) struct OwnGate {
    address: SocketAddr,
    gate: Gate,
    admin: Arc<AdminState>,
    serving: JoinHandle<std::io::Result<()>>,
    keeping: Option<JoinHandle<()>>,
    sharing: Option<JoinHandle<()>>,
    /// No more connections are accepted.
    stopping: CancellationToken,
    /// The admin pages end, and what is learned is kept.
    stopped: CancellationToken,
}

/// How long a gate that runs may take to say so: it is on this machine, or there is none. A guess.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long requests may still take whose command has ended. They end with its connections. A guess.
const DRAIN: Duration = Duration::from_secs(1);

impl UsedGate {
    /// The gate that runs at the configuration's address, unless the command line wants another; else one of its own.
    pub(super) async fn find_or_start(wanted: &InForce, config: &Config, filter: Filter) -> Result<Self> {
        match running(config).await {
            Some((address, admin, status)) if !wanted.is_other_than(&status.config_hash, &config.hash) => {
                complain(&format!("tidegate: using the gate that runs at http://{address} ({})", status.config));
                Ok(Self::Running { address, admin })
            }
            Some((address, ..)) => {
                complain(&format!("tidegate: the gate at http://{address} has another configuration and is not used"));
                Self::start(wanted, config, filter).await
            }
            None => Self::start(wanted, config, filter).await,
        }
    }

    /// One of its own: where the command line says, else on free ports.
    pub(super) async fn start(wanted: &InForce, config: &Config, filter: Filter) -> Result<Self> {
        Ok(Self::Own(Box::new(OwnGate::start(wanted, config, filter).await?)))
    }

    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Running { address, .. } => *address,
            Self::Own(own) => own.address,
        }
    }

    pub(super) async fn status(&self) -> Result<Status> {
        match self {
            Self::Running { admin, .. } => admin.status(PATIENCE).await,
            Self::Own(own) => Ok(own.admin.status()),
        }
    }

    /// How it is at the end of the command, at which its own gate ends.
    pub(super) async fn end(self) -> Result<Status> {
        match self {
            Self::Running { .. } => self.status().await.context("the gate that the command used is gone"),
            Self::Own(own) => own.end().await,
        }
    }
}

/// A gate that answers both at the configuration's address and at its admin address.
async fn running(config: &Config) -> Option<(SocketAddr, AdminArgs, Status)> {
    let (address, admin) = (config.server.listen, config.server.admin?);
    if address.port() == 0 || admin.port() == 0 {
        return None;
    }
    let admin = AdminArgs { admin: admin.to_string() };
    let status = admin.status(PATIENCE).await.ok().filter(|status| !status.draining)?;
    tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await.ok()?.ok()?;
    Some((address, admin, status))
}

impl OwnGate {
    async fn start(wanted: &InForce, config: &Config, filter: Filter) -> Result<Self> {
        let gate = Gate::start(config)?;
        let (stopping, stopped) = (CancellationToken::new(), CancellationToken::new());
        let keeping = keep_state(config, gate.admission(), stopped.clone())?;
        let sharing = share_limits(config, &gate, stopped.clone());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = bind(if wanted.is_address() { config.server.listen } else { any }, "--listen").await?;
        let address = listener.local_addr()?;
        let admin = Arc::new(AdminState::new(config, gate.clone()).listening_at(address).with_filter(filter));
        if let Some(at) = config.server.admin {
            let listener = bind(if wanted.is_admin() { at } else { any }, "--admin").await?;
            complain(&format!("tidegate: gate at http://{address}, page at http://{}", listener.local_addr()?));
            tokio::spawn(admin::run(Arc::clone(&admin), listener, stopped.clone().cancelled_owned()));
        }
        let serving = tokio::spawn(gate::run(gate.clone(), listener, DRAIN, stopping.clone().cancelled_owned()));
        Ok(Self { address, gate, admin, serving, keeping, sharing, stopping, stopped })
    }

    async fn end(self) -> Result<Status> {
        self.stopping.cancel();
        self.serving.await??;
        let status = self.admin.status();
        self.stopped.cancel();
        for ending in [self.keeping, self.sharing].into_iter().flatten() {
            ending.await?;
        }
        self.gate.telemetry().close().await;
        Ok(status)
    }
}
