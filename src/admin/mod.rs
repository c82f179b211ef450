//! What people and probes see of the gate, on a port of its own. [`Status`] is the one snapshot; whatever else is shown
//! comes from it.

mod clock;
mod config_view;
mod configuration;
mod counts;
mod diagnosis;
mod estimate;
mod event;
mod explainer;
mod guard;
mod history;
mod log;
mod metrics;
mod observed;
mod page;
mod pages;
mod permanent;
mod pool;
mod question;
mod rank;
mod recent;
mod reload;
mod requests;
mod server;
mod status;
mod stream;
mod trouble;
mod wait_forecast;
mod wording;
mod worst;

pub use configuration::{AppsStatus, ConfigurationStatus};
pub use counts::{ClientStatus, CountStatus, RouteStatus, SpreadStatus};
pub use diagnosis::{
    CauseName, DiagnosisStatus, EvidenceStatus, LearnedStatus, RefusalBurstStatus, RequesterStatus, Sureness,
};
pub use estimate::{CountedUnit, EstimateStatus, EvidenceSum, FoundLimit, ScopeName, ScopeStatus};
pub use event::EventStatus;
pub use explainer::{Explainer, Explanation, ForOther, Live, Other, Over, Sketch, Taken};
pub use history::{HistoryStatus, TrackStatus};
pub use observed::ObservedStatus;
pub use pages::run;
pub use pool::{InForceStatus, LimitStatus, PoolStatus, WaitingBy, WaitingFor, WaitsStatus};
pub use requests::{EndedStatus, PoolName, RequestsStatus, WaitingStatus};
pub use status::{
    BufferedStatus, ConnectionsStatus, RefusalStatus, SCHEMA, STATUS_SCHEMA, Status, TotalsStatus,
    UpstreamRefusalStatus,
};
pub use stream::{BriefPool, BriefStatus};
pub use wait_forecast::{FareOutcome, RefusalExample, WaitForecast};
pub use worst::Worst;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::admission::ClientId;
use crate::client::AllowedHosts;
use crate::config::Config;
use crate::gate::Gate;
use crate::reload::Reloader;
use crate::telemetry::Filter;
use clock::TwoClocks;
use config_view::ConfigView;
use history::History;
use recent::RecentAnswers;
use stream::StatusStream;

/// Where the admin pages get what they show.
pub struct AdminState {
    gate: Gate,
    views: Mutex<Arc<Views>>,
    /// What changes the configuration, if anything does.
    reloader: Option<Arc<Reloader>>,
    /// Where apps reach the gate, if another address than is configured.
    listens: Option<SocketAddr>,
    started: Instant,
    history: Mutex<History>,
    recent: Mutex<RecentAnswers>,
    stream: StatusStream,
    /// The names that the admin port goes by.
    allowed_hosts: AllowedHosts,
    /// How much the log tells, if it may be changed.
    filter: Option<Filter>,
    /// The pages come to their end.
    closing: CancellationToken,
}

/// The configuration as the pages show it.
struct Views {
    generation: u64,
    config: ConfigView,
    explainer: Explainer,
}

impl Views {
    fn new(config: &Config, generation: u64) -> Self {
        Self { generation, config: ConfigView::new(config), explainer: Explainer::new(config) }
    }
}

impl AdminState {
    /// A gate that starts now.
    #[must_use]
    pub fn new(config: &Config, gate: Gate) -> Self {
        Self {
            gate,
            views: Mutex::new(Arc::new(Views::new(config, 1))),
            reloader: None,
            listens: None,
            started: Instant::now(),
            history: Mutex::default(),
            recent: Mutex::default(),
            stream: StatusStream::new(),
            allowed_hosts: config.server.allowed_hosts.clone(),
            filter: None,
            closing: CancellationToken::new(),
        }
    }

    /// Lets what is logged be changed.
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { filter: Some(filter), ..self }
    }

    /// Tells where apps reach the gate.
    #[must_use]
    pub fn listening_at(self, address: SocketAddr) -> Self {
        Self { listens: Some(address), ..self }
    }

    /// Lets the configuration be reloaded, and shows the one in force.
    #[must_use]
    pub fn with_reloader(self, reloader: Option<Arc<Reloader>>) -> Self {
        Self { reloader, ..self }
    }

    /// What is shown of the configuration in force.
    fn views(&self) -> Arc<Views> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reloader) = &self.reloader {
            let generation = reloader.status().generation;
            if generation != views.generation {
                *views = Arc::new(Views::new(&reloader.config(), generation));
            }
        }
        Arc::clone(&views)
    }

    /// The state of the gate at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status_for(None)
    }

    /// The same, with what the next request of this client would meet.
    #[must_use]
    pub fn status_for(&self, client: Option<ClientId>) -> Status {
        let snapshot = self.gate.admission().snapshot_for(client);
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut status =
            Status::new(&self.views().config, &self.gate.now(), &recent, &snapshot, self.started.elapsed());
        status.reload = self.reloader.as_ref().map(|reloader| reloader.status());
        status
    }

    /// All that Prometheus wants to know, in its text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        metrics::text(&self.views().config, &self.status(), &self.gate.now().by_route())
    }

    /// The state in short.
    #[must_use]
    pub fn brief(&self) -> BriefStatus {
        BriefStatus::new(&self.views().config, &self.gate.admission().snapshot())
    }

    /// The last quarter of an hour, of the pools of this name and the instance of this key.
    #[must_use]
    pub fn history(&self, pool: Option<&str>, key: Option<&str>) -> HistoryStatus {
        let is_meant = |name: &str, own: &str| pool.is_none_or(|pool| pool == name) && key.is_none_or(|key| key == own);
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.status(&self.views().config.pools, is_meant)
    }

    /// Remembers how things are, again and again.
    async fn remember(&self) {
        let mut step = interval(history::STEP);
        step.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            step.tick().await;
            let (snapshot, at_ms) = (self.gate.admission().snapshot(), TwoClocks::read().at_ms());
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.note(&self.views().config, &snapshot, at_ms);
            drop(history);
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.note(snapshot.at, || self.gate.now().by_route().into_iter().map(|counts| counts.answers).collect());
        }
    }
}
