use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::time;

use crate::config::SharedStore;
use crate::replica::{TURN, TurnCall};

/// How long a connection may take to be made, TLS included, and a call to be answered.
const CONNECT: Duration = Duration::from_secs(1);
const CALL: Duration = Duration::from_millis(400);

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    #[error("no answer in time")]
    Late,
    #[error("{0}")]
    Store(String),
    #[error("{0}")]
    Password(String),
    #[error("its answer is none of a turn: another program uses these keys, or another version of Tidegate")]
    Answer,
}

/// The one connection, made when it is needed.
pub(super) struct Connection {
    store: SharedStore,
    open: Option<MultiplexedConnection>,
    hash: Option<String>,
}

impl Connection {
    pub(super) fn new(store: &SharedStore) -> Self {
        Self { store: store.clone(), open: None, hash: None }
    }

    /// The next call makes a new one.
    pub(super) fn drop_it(&mut self) {
        (self.open, self.hash) = (None, None);
    }

    /// Makes a call. Cancelled halfway, the store may have got it: it is sent again as it was.
    pub(super) async fn turn(&mut self, group: &str, call: &TurnCall) -> Result<String, TurnError> {
        if self.open.is_none() {
            self.open = Some(time::timeout(CONNECT, self.connect()).await.map_err(|_| TurnError::Late)??);
        }
        time::timeout(CALL, self.eval(group, call)).await.map_err(|_| TurnError::Late)?
    }

    async fn connect(&self) -> Result<MultiplexedConnection, TurnError> {
        let info = self.store.url.info().map_err(|error| failed(&error))?;
        let mut settings = info.redis_settings().clone();
        if let Some(password) = self.store.password().map_err(TurnError::Password)? {
            settings = settings.set_password(password);
        }
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let client =
            Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp)).map_err(|error| failed(&error))?;
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(CALL));
        client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| failed(&error))
    }

    /// By the script's hash, or, where the store does not know it, by the script.
    async fn eval(&mut self, group: &str, call: &TurnCall) -> Result<String, TurnError> {
        let Some(open) = &mut self.open else { return Err(TurnError::Late) };
        let (keys, texts) = (keys(group, call), call.texts());
        if let Some(hash) = &self.hash {
            let mut command = redis::cmd("EVALSHA");
            command.arg(hash).arg(keys.len()).arg(&keys).arg(&texts);
            match command.query_async(open).await {
                Err(error) if error.code() == Some("NOSCRIPT") => {}
                answer => return answer.map_err(|error| failed(&error)),
            }
        }
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(TURN);
        self.hash = load.query_async(open).await.ok();
        let mut command = redis::cmd("EVAL");
        command.arg(TURN).arg(keys.len()).arg(&keys).arg(&texts);
        command.query_async(open).await.map_err(|error| failed(&error))
    }
}

/// All in one slot of a cluster.
fn keys(group: &str, call: &TurnCall) -> Vec<String> {
    let key = |name: &str| format!("{{tidegate:{group}}}:{name}");
    let mut keys: Vec<String> = ["meta", "gates", "answers", "pending"].map(key).into();
    keys.extend(call.meters.iter().flat_map(|meter| ["m", "l"].map(|kind| key(&format!("{kind}:{}", meter.id)))));
    keys
}

/// What the store says; no part of the URL is in it.
fn failed(error: &RedisError) -> TurnError {
    let detail = error.detail().unwrap_or_default();
    TurnError::Store(match error.code() {
        Some(code) => format!("{code} {detail}"),
        None if detail.is_empty() => error.to_string(),
        None => detail.to_owned(),
    })
}
