use std::time::Duration;

use bytesize::ByteSize;

use super::Check;
use crate::config::QueueConfig;
use crate::config::file;
use crate::config::spanned::Spanned;
use crate::problem::Problem;

/// How many requests may wait in all. A guess: more than an app has at once.
const MAX_WAITING: usize = 1_000;

/// How much memory bodies may take in all, in MiB. A guess: 64 KiB for each request that may wait.
const MAX_MIB: u64 = 64;

/// How many requests may be past their wait. A guess.
const MAX_IN_FLIGHT: u64 = 10_000;

/// How long a low request waits before it counts as normal. A guess: a quarter of how long it may wait.
const AGEING: Duration = Duration::from_secs(30);

/// After how long a request that waits is told of in the log. A guess: people begin to wonder.
const LOG_WAIT: Duration = Duration::from_secs(10);

/// How much of a body is read while its request waits, in MiB. A guess: nearly all that are no uploads.
const BUFFER_MIB: u64 = 1;

impl Check {
    pub(super) fn queue(&mut self, file: &file::Queue) -> QueueConfig {
        let max_bytes = file.max_bytes.as_ref().map_or(ByteSize::mib(MAX_MIB), |most| *most.get_ref());
        let buffer = file.buffer.as_ref().map_or(ByteSize::mib(BUFFER_MIB), |buffer| *buffer.get_ref());
        if buffer > max_bytes {
            let at = file.max_bytes.as_ref().or(file.buffer.as_ref()).map_or(0..0, Spanned::span);
            let label = format!("max_bytes is {max_bytes}, and buffer is {buffer}");
            let mend = "write a max_bytes in which at least one buffer finds room";
            self.problems.push(Problem::new("a buffer that never finds room", at, label, mend));
        }
        QueueConfig {
            max_waiting: file.max_waiting.unwrap_or(MAX_WAITING),
            max_bytes: max_bytes.as_u64(),
            max_in_flight: file.max_in_flight.map_or(MAX_IN_FLIGHT, |most| most.get().into()),
            ageing: self.time(file.ageing.as_ref(), AGEING),
            log_wait: self.time(file.log_wait.as_ref(), LOG_WAIT),
            buffer: usize::try_from(buffer.as_u64()).unwrap_or(usize::MAX),
        }
    }
}
