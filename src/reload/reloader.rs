use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Difference};
use crate::gate::Gate;

/// Reads the configuration as at the start: flags, environment and file.
pub type Load = Box<dyn Fn() -> Result<Config> + Send + Sync>;

/// Swaps configurations.
pub struct Reloader {
    gate: Gate,
    load: Load,
    /// One reload at a time; who asks what is in force does not wait for it.
    reloading: Mutex<()>,
    current: Mutex<Generation>,
}

/// The configuration in force.
struct Generation {
    config: Arc<Config>,
    status: ReloadStatus,
}

/// Which configuration is in force, and what became of the last reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReloadStatus {
    /// 1 at the start, and one more with each reload that changed something.
    pub generation: u64,
    /// Since when it is in force, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// The last reload, if that was refused.
    pub refused: Option<RefusedReload>,
}

/// A reload that changed nothing, as it could not be taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusedReload {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Why.
    pub why: String,
}

impl Reloader {
    /// For a gate that has been started with this configuration.
    #[must_use]
    pub fn new(gate: Gate, config: Arc<Config>, load: Load) -> Self {
        let status = ReloadStatus { generation: 1, since_ms: now_ms(), refused: None };
        Self { gate, load, reloading: Mutex::new(()), current: Mutex::new(Generation { config, status }) }
    }

    /// Reads the configuration and takes it over, and logs what has changed.
    ///
    /// # Errors
    /// Why the old one goes on.
    pub fn reload(&self) -> Result<Difference, String> {
        let _alone = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = (self.load)().map_err(|error| format!("{error:#}")).and_then(|mut config| {
            let before = self.config();
            config.routes = Arc::new(config.routes.following(&before.routes));
            let difference = Difference::between(&before, &config).map_err(|error| error.to_string())?;
            self.take_over(config, &difference)?;
            Ok(difference)
        });
        let mut current = self.current();
        match taken {
            Ok(difference) => {
                current.status.refused = None;
                Ok(difference)
            }
            Err(why) => {
                tracing::warn!("the configuration is not reloaded, and the old one goes on: {why}");
                current.status.refused = Some(RefusedReload { at_ms: now_ms(), why: why.clone() });
                Err(why)
            }
        }
    }

    /// Certificates are read again though nothing else has changed.
    fn take_over(&self, config: Config, difference: &Difference) -> Result<(), String> {
        let config = Arc::new(config);
        let gate = self.gate.following(&config, difference.is_of_upstream()).map_err(|error| error.to_string())?;
        let mut current = self.current();
        if difference.is_nothing() {
            if config.server.tls.is_some() {
                self.gate.take_over(gate, &config);
            }
            tracing::info!("the configuration is reloaded: nothing has changed");
            return Ok(());
        }
        // What is shown knows all routes before any request takes one, and the log says what holds already.
        current.config = Arc::clone(&config);
        current.status.generation += 1;
        current.status.since_ms = now_ms();
        self.gate.take_over(gate, &config);
        tracing::info!(
            generation = current.status.generation,
            "the configuration is reloaded: {}",
            difference.lines().join("; ")
        );
        Ok(())
    }

    /// Which configuration is in force.
    #[must_use]
    pub fn status(&self) -> ReloadStatus {
        self.current().status.clone()
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.current().config)
    }

    fn current(&self) -> MutexGuard<'_, Generation> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("status", &self.status()).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "a date is said by the wall clock")]
fn now_ms() -> u64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}
