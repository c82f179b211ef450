//! What `check --json` prints.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use super::exit::INVALID_CONFIG;
use super::output::output;
use crate::config::{Config, LoadError, exposures};
use crate::problem::StatedProblem;

/// A configuration that is valid.
#[derive(Serialize)]
struct Checked<'c> {
    valid: bool,
    source: String,
    hash: &'c str,
    mode: &'static str,
    listen: String,
    admin: Option<String>,
    upstream: String,
    /// The environment variables that it uses.
    environment: &'c [String],
    /// How pools and routes differ from the built-in ones.
    changes: Vec<String>,
    warnings: Vec<String>,
    pools: Vec<CheckedPool<'c>>,
    routes: Vec<CheckedRoute<'c>>,
}

#[derive(Serialize)]
struct CheckedPool<'c> {
    name: &'c str,
    limits: String,
    key: Vec<String>,
}

#[derive(Serialize)]
struct CheckedRoute<'c> {
    route: &'c str,
    pools: Vec<&'c str>,
    priority: String,
}

/// One that is not.
#[derive(Serialize)]
struct Refused<'i> {
    valid: bool,
    problems: Vec<StatedProblem<'i>>,
}

/// Prints what was loaded, or what is wrong with it. Other failures remain errors.
pub(super) fn print(loaded: Result<Config>) -> Result<ExitCode> {
    let config = match loaded {
        Ok(config) => config,
        Err(error) => {
            let Some(LoadError::Invalid(invalid)) = error.downcast_ref::<LoadError>() else { return Err(error) };
            write(&Refused { valid: false, problems: invalid.stated().collect() })?;
            return Ok(ExitCode::from(INVALID_CONFIG));
        }
    };
    write(&Checked::new(&config))?;
    Ok(ExitCode::SUCCESS)
}

fn write(answer: &impl Serialize) -> Result<()> {
    Ok(writeln!(output(), "{}", serde_json::to_string_pretty(answer)?)?)
}

impl<'c> Checked<'c> {
    fn new(config: &'c Config) -> Self {
        let own = config.own_upstream().map(|own| format!("the upstream is the gate's own address, {own}"));
        let pools = config.pools.iter().filter(|pool| !pool.implicit).map(|pool| CheckedPool {
            name: &pool.name,
            limits: pool.limits_text(),
            key: pool.key.iter().map(ToString::to_string).collect(),
        });
        let routes = config.routes.routes().map(|(_, route)| CheckedRoute {
            route: &route.name,
            pools: route.charges.iter().map(|charge| &*config.pools[charge.pool.0].name).collect(),
            priority: route.priority.to_string(),
        });
        Self {
            valid: true,
            source: config.source.to_string(),
            hash: &config.hash,
            mode: if config.is_observed { "observe" } else { "enforce" },
            listen: config.server.listen.to_string(),
            admin: config.server.admin.map(|admin| admin.to_string()),
            upstream: config.upstream.url.to_string(),
            environment: &config.environment,
            changes: config.changes.iter().map(ToString::to_string).collect(),
            warnings: exposures(config).iter().map(ToString::to_string).chain(own).collect(),
            pools: pools.collect(),
            routes: routes.collect(),
        }
    }
}
