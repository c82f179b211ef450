//! The commands, one file each.

mod asking;
mod check;
mod check_json;
mod config_args;
#[cfg(feature = "lab")]
mod demo;
#[cfg(feature = "lab")]
mod dev;
mod diagnose;
mod examples;
mod exit;
mod explain;
mod healthcheck;
mod in_force;
mod init;
mod listen;
mod live;
mod memory;
#[cfg(feature = "lab")]
mod mock;
mod output;
mod rotation;
mod run;
mod serve;
#[cfg(feature = "lab")]
mod simulate;
mod state;
mod stop;
mod top;
mod usage_error;
mod which_limit;

use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::exit::{INVALID_CONFIG, USAGE};
use self::output::{complain, is_unread, output};
use self::usage_error::UsageError;
use crate::config::LoadError;
use crate::gate::StartError;
use crate::problem::Invalid;
use crate::store;

/// A local proxy for api.openai.com. It queues requests so that they stay under your rate limits.
#[derive(Debug, Parser)]
#[command(version = version(), max_term_width = 100, after_help = examples::ALL)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a command, and send its requests through a gate.
    #[command(after_help = examples::RUN)]
    Run(run::RunCommand),
    /// Run the gate.
    #[command(after_help = examples::SERVE)]
    Serve(serve::Serve),
    /// Show what the gate is for: the same batch directly and through it. Needs no key and no network.
    #[cfg(feature = "lab")]
    #[command(after_help = examples::DEMO)]
    Demo(demo::Demo),
    /// Try the gate without a key: a mock upstream and a gate before it, in one, with the same limits and the same minute.
    #[cfg(feature = "lab")]
    #[command(after_help = examples::DEV)]
    Dev(dev::Dev),
    /// Run a stand-in for api.openai.com that enforces limits, to test against.
    #[cfg(feature = "lab")]
    #[command(after_help = examples::MOCK)]
    Mock(mock::MockArgs),
    /// Show which route and pools a request takes, and how long it would wait.
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::Explain),
    /// Ask a running gate which limit is hit, and what to do.
    #[command(after_help = examples::DIAGNOSE)]
    Diagnose(diagnose::Diagnose),
    /// Show pools, routes and clients live, the worst at the top.
    #[command(after_help = examples::TOP)]
    Top(top::TopCommand),
    /// Check a configuration and print what would be in force.
    #[command(after_help = examples::CHECK)]
    Check(check::CheckCommand),
    /// Simulate traffic: which requests wait, how long, and how full the pools get.
    #[cfg(feature = "lab")]
    #[command(after_help = examples::SIMULATE)]
    Simulate(simulate::Simulate),
    /// Print a configuration to begin with: the built-in one with comments, or that for a provider.
    #[command(after_help = examples::INIT)]
    Init(init::Init),
    /// Ask a running gate whether it is well. For containers without curl.
    #[command(after_help = examples::HEALTHCHECK)]
    Healthcheck(healthcheck::Healthcheck),
    /// Print the completions for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The version, and the commit where the build was told it.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let commit = option_env!("TIDEGATE_COMMIT").filter(|commit| !commit.is_empty());
        let commit = commit.map_or(String::new(), |commit| format!(" ({})", commit.get(..12).unwrap_or(commit)));
        env!("CARGO_PKG_VERSION").to_owned() + &commit
    })
}

/// The command line, for man pages.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

impl Command {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Run(run) => return run.run(),
            #[cfg(feature = "lab")]
            Self::Dev(dev) => return dev.run(),
            Self::Serve(serve) => serve.run(),
            #[cfg(feature = "lab")]
            Self::Demo(demo) => demo.run(),
            #[cfg(feature = "lab")]
            Self::Mock(mock) => mock.run(),
            Self::Explain(explain) => explain.run(),
            Self::Diagnose(diagnose) => diagnose.run(),
            Self::Top(top) => top.run(),
            Self::Check(check) => return check.run(),
            #[cfg(feature = "lab")]
            Self::Simulate(simulate) => simulate.run(),
            Self::Init(init) => init.run(),
            Self::Healthcheck(healthcheck) => healthcheck.run(),
            Self::Completions { shell } => complete(shell),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

fn complete(shell: Shell) -> Result<()> {
    // Into memory first: for some shells even try_generate panics when a write fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tidegate", &mut script);
    Ok(output().write_all(&script)?)
}

fn report(error: &anyhow::Error) -> ExitCode {
    if is_unread(error) {
        return ExitCode::SUCCESS;
    }
    if error.is::<StartError>() || error.is::<store::UnusableFile>() {
        complain(&format!("error: {error}"));
        return ExitCode::from(INVALID_CONFIG);
    }
    if let Some(invalid) = error.downcast_ref::<Invalid>() {
        complain(&invalid.to_string());
        return ExitCode::from(USAGE);
    }
    match error.downcast_ref::<LoadError>() {
        Some(LoadError::Invalid(invalid)) => {
            complain(&invalid.to_string());
            ExitCode::from(INVALID_CONFIG)
        }
        Some(unreadable) => {
            complain(&format!("error: {unreadable}"));
            ExitCode::from(INVALID_CONFIG)
        }
        None if error.is::<UsageError>() => {
            complain(&format!("error: {error}"));
            ExitCode::from(USAGE)
        }
        None => {
            complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
