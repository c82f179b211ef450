use serde::Serialize;

use crate::admin::wait_forecast::WaitForecast;

/// Another client, or account, than a sketch of a request says.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Other {
    /// The client, by its label.
    pub client: Option<String>,
    /// The account, as it stands in the key of a pool instance.
    pub account: Option<String>,
}

/// How a request would fare if another client sent it.
#[derive(Clone, Debug, Serialize)]
pub struct ForOther {
    /// The client, by its label, if it is known.
    pub client: Option<String>,
    /// The account, where a pool has a key of it.
    pub account: Option<String>,
    /// How many requests of that client wait there.
    pub waiting: usize,
    /// How it would fare.
    pub now: WaitForecast,
}
