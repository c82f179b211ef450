use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use redis::{ConnectionInfo, IntoConnectionInfo, RedisError};

use super::key_variable::KeyVariable;
use crate::limit::Share;
use crate::replica::{OnOutage, PARTS};

/// The store through which several gates share the limits of one account.
#[derive(Clone, Debug)]
pub struct SharedStore {
    /// Where it is.
    pub url: StoreUrl,
    /// Where its password is, if it has one.
    pub password: Option<StorePassword>,
    /// The gates that share limits have this in common.
    pub group: String,
    /// What the gate does without the store.
    pub on_outage: OnOutage,
    /// The gate's part of each limit then.
    pub share: Share,
}

/// Where a password is.
#[derive(Clone, Debug)]
pub enum StorePassword {
    /// In an environment variable.
    Variable(KeyVariable),
    /// In a file, whose last line may end.
    File(PathBuf),
}

/// Where the store is: `redis://`, `rediss://` or `unix://`, without a password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

/// It is no URL of a store.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStoreUrl {
    /// Another scheme, or none.
    #[error("a store's URL is like redis://host:6379, rediss://user@host:6379 or unix:///run/valkey.sock")]
    Form,
    /// A file of settings is no place for it.
    #[error(
        "the password has no place in the file: name the variable that holds it in password_env, or its file in password_file"
    )]
    Password,
}

impl SharedStore {
    /// The password, read anew for each connection.
    ///
    /// # Errors
    /// Why there is none.
    pub fn password(&self) -> Result<Option<String>, String> {
        match &self.password {
            None => Ok(None),
            Some(StorePassword::Variable(variable)) => {
                variable.key().map(Some).ok_or_else(|| format!("{}: the variable is not set", variable.place()))
            }
            Some(StorePassword::File(path)) => {
                let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
                Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        }
    }

    /// The gate's part of an outage, in [`PARTS`].
    #[must_use]
    pub fn parts(&self) -> u64 {
        if self.on_outage == OnOutage::Share { self.share.of_amount(PARTS) } else { 0 }
    }
}

/// What the log and `check` say: no password, and of its variable only whether there is one.
impl fmt::Display for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, group {}; without it ", self.url, self.group)?;
        match self.on_outage {
            OnOutage::Share => write!(f, "{} of every limit", self.share),
            OnOutage::Closed => write!(f, "nothing is sent"),
            OnOutage::Open => write!(f, "all of every limit: the gates together may exceed it"),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let info = text.into_connection_info().map_err(|_| InvalidStoreUrl::Form)?;
        if info.redis_settings().password().is_some() {
            return Err(InvalidStoreUrl::Password);
        }
        Ok(Self(text.to_owned()))
    }
}

impl StoreUrl {
    /// As a client wants it.
    ///
    /// # Errors
    /// None after it was parsed.
    pub fn info(&self) -> Result<ConnectionInfo, RedisError> {
        self.0.as_str().into_connection_info()
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
