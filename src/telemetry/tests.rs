use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tracing::subscriber::{DefaultGuard, set_default};

use super::AccessLine;

/// What is logged meanwhile.
#[derive(Clone, Default)]
pub(super) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    /// From now on, on this thread, until the guard is dropped.
    pub(super) fn listen() -> (Self, DefaultGuard) {
        let logged = Self::default();
        let to = logged.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || to.clone()).finish();
        (logged, set_default(log))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("a text")
    }
}

impl Write for Logged {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Of a request of which hardly anything is known.
pub(super) fn line() -> AccessLine<'static> {
    let (nothing, no_time) = (String::new(), Duration::ZERO);
    AccessLine {
        at: SystemTime::UNIX_EPOCH,
        method: "GET",
        route: "default",
        client: nothing,
        name: None,
        ended: "passed",
        status: Some(200),
        code: None,
        source: None,
        wait: no_time,
        upstream: None,
        attempts: 1,
        total: no_time,
        pools: Vec::new(),
        model: None,
        tokens: None,
        priority: None,
    }
}
