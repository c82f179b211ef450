//! The file as it is written; [`super::check`] says what of it makes sense.

use std::num::{NonZeroU32, NonZeroUsize};

use bytesize::ByteSize;
use indexmap::IndexMap;
use serde::Deserialize;

use super::spanned::Spanned;

/// A text with its place in the file, parsed later so that the error can point to it.
pub(super) type Text = Spanned<String>;

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    /// "built-in", the default, keeps the built-in pools and routes, and the file changes those that it names; "none" starts empty.
    // Decided before, by the overlay; here another value is an error.
    pub(super) extends: Option<Extends>,
    /// "enforce", the default, or "observe" for the whole gate: nothing waits or is refused; what would have been is counted.
    pub(super) mode: Option<Mode>,
    pub(super) server: Server,
    pub(super) upstream: Upstream,
    pub(super) queue: Queue,
    pub(super) clients: Clients,
    pub(super) log: Log,
    pub(super) store: Store,
    pub(super) replicas: Replicas,
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Spanned<Pool>>"))]
    pub(super) pools: IndexMap<String, Spanned<Pool>>,
    pub(super) routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Extends {
    BuiltIn,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Enforce,
    Observe,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [server]")]
pub(super) struct Server {
    pub(super) listen: Option<Text>,
    pub(super) admin: Option<Text>,
    pub(super) allowed_hosts: Vec<Text>,
    pub(super) drain: Option<Text>,
    pub(super) stall_timeout: Option<Text>,
    pub(super) cert_file: Option<Text>,
    pub(super) key_file: Option<Text>,
    pub(super) watch: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [upstream]")]
pub(super) struct Upstream {
    pub(super) url: Option<Text>,
    pub(super) proxy: Option<Text>,
    pub(super) api_key_env: Option<Text>,
    pub(super) connect_timeout: Option<Text>,
    pub(super) response_timeout: Option<Text>,
    pub(super) http2_connections: Option<Spanned<NonZeroUsize>>,
    pub(super) ca_file: Option<Text>,
    pub(super) learn: Option<bool>,
    /// What a refusal means by its code or type: "limit", "too_large", "ramp", "billing" or "overload".
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Text>"))]
    pub(super) refusals: IndexMap<String, Text>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [queue]")]
pub(super) struct Queue {
    pub(super) max_waiting: Option<usize>,
    #[cfg_attr(test, schemars(with = "Option<super::schema::Size>"))]
    pub(super) max_bytes: Option<Spanned<ByteSize>>,
    pub(super) max_in_flight: Option<NonZeroU32>,
    pub(super) max_wait: Option<Text>,
    pub(super) ageing: Option<Text>,
    pub(super) log_wait: Option<Text>,
    #[cfg_attr(test, schemars(with = "Option<super::schema::Size>"))]
    pub(super) buffer: Option<Spanned<ByteSize>>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [clients]")]
pub(super) struct Clients {
    pub(super) quota: Option<Text>,
    pub(super) by: Option<Spanned<Vec<Text>>>,
    /// How many shares a client has where others have one, 1 to 1000, by its name or label.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Spanned<i64>>"))]
    pub(super) weights: IndexMap<String, Spanned<i64>>,
    /// What people call a client, by what `by` sees of it or by its label: in /status, the log, `explain` and on the page.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, Text>"))]
    pub(super) names: IndexMap<String, Text>,
    pub(super) may_raise: bool,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [log]")]
pub(super) struct Log {
    pub(super) access: Option<Access>,
    pub(super) access_file: Option<Text>,
    pub(super) sample: Option<Spanned<f64>>,
    pub(super) otlp: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [store]")]
pub(super) struct Store {
    pub(super) path: Option<Text>,
    pub(super) cold: Option<ColdStart>,
    pub(super) url: Option<Text>,
    pub(super) password_env: Option<Text>,
    pub(super) password_file: Option<Text>,
    pub(super) group: Option<Text>,
    pub(super) on_outage: Option<Spanned<Outage>>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [replicas]")]
pub(super) struct Replicas {
    pub(super) share: Option<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Outage {
    Share,
    Closed,
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum ColdStart {
    Empty,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Access {
    Off,
    Text,
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "a table, as in [pools.NAME]")]
pub(super) struct Pool {
    pub(super) requests: Vec<Text>,
    pub(super) tokens: Vec<Text>,
    pub(super) in_flight: Option<Spanned<NonZeroU32>>,
    pub(super) shape: Option<Spanned<Shape>>,
    pub(super) burst: Option<Spanned<NonZeroU32>>,
    pub(super) margin: Option<Text>,
    pub(super) learn: Option<bool>,
    pub(super) key: Vec<Text>,
    /// How many may wait for this pool; as under `[queue]`.
    pub(super) max_waiting: Option<Spanned<usize>>,
    #[cfg_attr(test, schemars(with = "Option<super::schema::Size>"))]
    pub(super) max_bytes: Option<Spanned<ByteSize>>,
    /// How long a request may wait for this pool; as under `[queue]`.
    pub(super) max_wait: Option<Text>,
    pub(super) when_full: Option<WhenFull>,
    pub(super) poll_share: Option<Spanned<f64>>,
    /// "enforce", the default, or "observe": requests do not wait for this pool; what would have been is counted.
    pub(super) mode: Option<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Shape {
    Window,
    Smooth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum WhenFull {
    Queue,
    Refuse,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table, as in [[routes]]")]
pub(super) struct Route {
    #[serde(rename = "match")]
    pub(super) matches: Text,
    #[serde(default)]
    pub(super) pools: Vec<Text>,
    pub(super) priority: Option<Text>,
    pub(super) keepalive: Option<Text>,
    pub(super) coalesce: Option<Spanned<bool>>,
    pub(super) reuse: Option<Text>,
    pub(super) hold: Option<Spanned<bool>>,
}
