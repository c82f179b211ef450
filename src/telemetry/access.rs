use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::sink::{Appended, Output, Sink};
use super::{AccessLine, OpenError};
use crate::config::{self, AccessFormat};

/// The access log: a line for each request, handed to a thread that writes it.
#[derive(Debug)]
pub(super) struct Access {
    format: AccessFormat,
    sample: f64,
    lines: NonBlocking,
    moved: Arc<AtomicBool>,
    /// The thread, which has written everything once this is dropped.
    thread: Mutex<Option<WorkerGuard>>,
    _telling: AbortOnDropHandle<()>,
}

/// How many lines may be on their way to the disk: some megabytes, and seconds of a busy gate. A guess.
const BEHIND: usize = 8_192;

/// How often what was lost is said. A guess: a log that is full of it helps nobody.
const EVERY: Duration = Duration::from_secs(1);

impl Access {
    pub(super) fn open(config: &config::AccessLogConfig) -> Result<Self, OpenError> {
        let moved = Arc::new(AtomicBool::new(false));
        let sink = match &config.file {
            None => Sink::Output(Output::open()),
            Some(path) => {
                let file = Appended::open(path, Arc::clone(&moved));
                Sink::Appended(file.map_err(|error| OpenError::File { path: path.clone(), error })?)
            }
        };
        Ok(Self::new(config, moved, sink))
    }

    fn new(config: &config::AccessLogConfig, moved: Arc<AtomicBool>, sink: impl Write + Send + 'static) -> Self {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(BEHIND);
        let (lines, thread) = builder.thread_name("access log").finish(sink);
        let telling = AbortOnDropHandle::new(tokio::spawn(tell_lost(lines.error_counter(), |lines, in_all| {
            tracing::warn!(lines, in_all, "the access log does not keep up: lines are lost");
        })));
        let (format, sample, thread) = (config.format, config.sample, Mutex::new(Some(thread)));
        Self { format, sample, lines, moved, thread, _telling: telling }
    }

    /// Whether one more of those that are many is written.
    pub(super) fn samples(&self) -> bool {
        fastrand::f64() < self.sample
    }

    pub(super) fn write(&self, line: &AccessLine<'_>) {
        let mut line = match self.format {
            AccessFormat::Text => line.to_string(),
            AccessFormat::Json => line.json(),
        };
        line.push('\n');
        // What finds no room is counted as lost, and no error.
        drop(self.lines.clone().write_all(line.as_bytes()));
    }

    pub(super) fn reopen(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        drop(self.thread.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Says what is lost, as long as lines are: how many since the last time, and in all.
pub async fn tell_lost(lost: ErrorCounter, say: impl Fn(usize, usize)) {
    let (mut ticks, mut told) = (interval(EVERY), 0);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let lines = lost.dropped_lines() - told;
        if lines > 0 {
            told += lines;
            say(lines, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::mpsc::{Receiver, channel};

    use tokio::time::sleep;

    use crate::telemetry::tests::{Logged, line};

    /// A disk that takes nothing until its other end is dropped.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.iter().for_each(drop);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_does_not_keep_up_loses_lines_holds_up_nobody_and_is_told_of() {
        let (logged, _listening) = Logged::listen();
        let config = config::AccessLogConfig { format: AccessFormat::Json, file: None, sample: 1.0 };
        let (free, stuck) = channel();
        let access = Access::new(&config, Arc::default(), Stuck(stuck));
        (0..BEHIND + 100).for_each(|_| access.write(&line()));
        let lost = access.lines.error_counter().dropped_lines();
        assert!((98..=100).contains(&lost), "{lost} lines are lost");
        sleep(EVERY * 3).await;
        let said = logged.text();
        let told = format!("the access log does not keep up: lines are lost lines={lost} in_all={lost}");
        assert_eq!(said.matches(&told).count(), 1, "{said}");
        drop(free);
    }
}
