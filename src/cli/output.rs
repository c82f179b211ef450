//! Standard output and standard error. Everything here writes to them through this module: `println!` and its like panic
//! once nobody reads.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// What a command prints. When its reader has gone, a write fails, which ends the command well ([`is_unread`]).
pub(super) struct StandardOutput(io::Stdout);

/// The lines of the log, on standard error. When their reader has gone they are lost, and the gate goes on.
pub(super) struct LogLines(io::Stderr);

/// The reader of standard output has gone. A connection that broke is another error.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output")]
struct NoReader;

#[expect(clippy::disallowed_methods, reason = "a failed write is an error here, and never a panic")]
pub(super) fn output() -> StandardOutput {
    StandardOutput(io::stdout())
}

#[expect(clippy::disallowed_methods, reason = "a failed write is nothing here, and never a panic")]
pub(super) fn log_lines() -> LogLines {
    LogLines(io::stderr())
}

/// Says it on standard output. That nobody may be reading there is no reason to stop.
pub(super) fn say(line: &str) {
    drop(writeln!(output(), "{line}"));
}

/// Says it on standard error. If nobody reads there, the exit code still tells.
pub(super) fn complain(line: &str) {
    drop(writeln!(log_lines(), "{line}"));
}

/// Whether a command failed only because nobody reads what it prints.
pub(super) fn is_unread(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is_some_and(<dyn std::error::Error + Send + Sync>::is::<NoReader>)
}

impl StandardOutput {
    pub(super) fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl LogLines {
    pub(super) fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl Write for StandardOutput {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write(text).map_err(unread)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(unread)
    }
}

impl Write for LogLines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        drop(self.0.write_all(text));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unread(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe { io::Error::new(ErrorKind::BrokenPipe, NoReader) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unread_output_ends_well() {
        let broken = || io::Error::from(ErrorKind::BrokenPipe);
        assert!(is_unread(&unread(broken()).into()));
        assert!(!is_unread(&broken().into()), "a connection broke");
        assert!(!is_unread(&unread(ErrorKind::StorageFull.into()).into()), "the disk is full");
    }
}
