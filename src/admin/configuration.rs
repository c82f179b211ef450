//! The configuration in force, and where apps reach the gate: `/config`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::AdminState;
use super::config_view::ConfigView;

/// The configuration in force: where it comes from, and what is different from the built-in one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigurationStatus {
    /// The file, or what stands for it.
    pub source: String,
    /// The first 16 digits of the SHA-256 of its text.
    pub hash: String,
    /// 1 at the start, and one more with each reload that changed something.
    pub generation: u64,
    /// Where apps reach the gate.
    pub apps: AppsStatus,
    /// Where requests go.
    pub upstream: String,
    /// `enforce`, or `observe` where the whole gate only observes.
    pub mode: String,
    /// How pools and routes differ from the built-in ones, a sentence each, as `tidegate check` says them.
    pub changes: Vec<String>,
}

/// Where apps reach the gate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppsStatus {
    /// The address that it listens at.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// It listens at every address of this machine, and `host` is none that an app can use.
    pub any: bool,
    /// Whether it speaks TLS as well.
    pub tls: bool,
}

pub(super) async fn configuration(State(admin): State<Arc<AdminState>>) -> Json<ConfigurationStatus> {
    let views = admin.views();
    let ConfigView { source, hash, upstream_url, changes, tls, .. } = &views.config;
    let listens = admin.listens.unwrap_or(views.config.listen);
    Json(ConfigurationStatus {
        source: source.clone(),
        hash: hash.clone(),
        generation: views.generation,
        apps: AppsStatus {
            host: listens.ip().to_string(),
            port: listens.port(),
            any: listens.ip().is_unspecified(),
            tls: *tls,
        },
        upstream: upstream_url.clone(),
        mode: if admin.gate.only_observes() { "observe" } else { "enforce" }.to_owned(),
        changes: changes.clone(),
    })
}
