use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitCode, ExitStatus};

use anyhow::Result;
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

/// The command that runs.
pub(super) struct Child {
    child: process::Child,
}

/// Why there is no command.
#[derive(Debug, thiserror::Error)]
#[error("{} {why}: {error}", command.display())]
pub(super) struct SpawnError {
    command: OsString,
    why: &'static str,
    error: io::Error,
}

/// The signals that this process gets and the command is to have.
pub(super) struct ForwardedSignals {
    signals: Vec<(Signal, tokio::signal::unix::Signal)>,
}

/// What POSIX shells say of a command that is not there, of one that cannot be executed, and of one that a signal ended
/// (XCU §2.8.2).
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
const SIGNALLED: u8 = 128;

impl Child {
    pub(super) fn spawn(
        command: &[OsString],
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SpawnError> {
        let child = Command::new(&command[0]).args(&command[1..]).envs(variables).spawn();
        let why = |error: &io::Error| match error.kind() {
            ErrorKind::NotFound => "is not found",
            _ => "cannot be executed",
        };
        let failed = |error| SpawnError { command: command[0].clone(), why: why(&error), error };
        Ok(Self { child: child.map_err(failed)? })
    }

    /// Waits for its end, and passes signals on until then.
    pub(super) async fn wait(mut self, signals: ForwardedSignals) -> Result<ExitCode> {
        let pid = Pid::from_child(&self.child);
        let ended = spawn_blocking(move || self.child.wait());
        let status = tokio::select! {
            ended = ended => ended??,
            () = signals.forward_to(pid) => unreachable!("signals have no end"),
        };
        Ok(exit_code(status))
    }
}

impl SpawnError {
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(if self.error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
    }
}

impl ForwardedSignals {
    /// From now on these signals do not end this process.
    pub(super) fn listen() -> io::Result<Self> {
        let kinds = [
            (Signal::HUP, SignalKind::hangup()),
            (Signal::INT, SignalKind::interrupt()),
            (Signal::QUIT, SignalKind::quit()),
            (Signal::TERM, SignalKind::terminate()),
            (Signal::USR1, SignalKind::user_defined1()),
            (Signal::USR2, SignalKind::user_defined2()),
        ];
        let signals = kinds.into_iter().map(|(which, kind)| Ok((which, signal(kind)?)));
        Ok(Self { signals: signals.collect::<io::Result<_>>()? })
    }

    /// Passes them on for ever.
    async fn forward_to(self, pid: Pid) {
        let forwarding = self.signals.into_iter().map(|(which, mut signal)| async move {
            while signal.recv().await.is_some() {
                if !is_from_terminal(which) {
                    // One that has just ended needs no signal.
                    let _ = kill_process(pid, which);
                }
            }
        });
        futures_util::future::join_all(forwarding).await;
        std::future::pending::<()>().await;
    }
}

/// Whether the command has this signal as well: a terminal sends the signals of its keys to every process in the foreground.
/// A command that got it twice would take it for impatience.
fn is_from_terminal(signal: Signal) -> bool {
    let is_of_keys = signal == Signal::INT || signal == Signal::QUIT;
    let is_in_foreground = || {
        let terminal = std::fs::File::open("/dev/tty").ok()?;
        Some(tcgetpgrp(terminal).ok()? == getpgrp())
    };
    is_of_keys && is_in_foreground().unwrap_or(false)
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let signal = || status.signal().and_then(|signal| u8::try_from(signal).ok()).unwrap_or_default();
    ExitCode::from(code.unwrap_or_else(|| SIGNALLED.saturating_add(signal())))
}
