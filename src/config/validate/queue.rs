use std::time::Duration;

use bytesize::ByteSize;
use toml::Spanned;

use super::Check;
use crate::config::Queue;
use crate::config::file;
use crate::config::report::Problem;

impl Check {
    pub(super) fn queue(&mut self, file: &file::Queue) -> Queue {
        let max_bytes = file.max_bytes.as_ref().map_or(ByteSize::mib(64), |most| *most.get_ref());
        let buffer = file.buffer.as_ref().map_or(ByteSize::mib(1), |buffer| *buffer.get_ref());
        if buffer > max_bytes {
            let at = file.max_bytes.as_ref().or(file.buffer.as_ref()).map_or(0..0, Spanned::span);
            let label = format!("max_bytes is {max_bytes}, and buffer is {buffer}");
            let mend = "write a max_bytes in which at least one buffer finds room";
            self.problems.push(Problem::new("a buffer that never finds room", at, label, mend));
        }
        Queue {
            max_waiting: file.max_waiting.unwrap_or(1_000),
            max_bytes: max_bytes.as_u64(),
            max_in_flight: file.max_in_flight.map_or(10_000, |most| most.get().into()),
            ageing: self.time(file.ageing.as_ref(), Duration::from_secs(30)),
            log_wait: self.time(file.log_wait.as_ref(), Duration::from_secs(10)),
            buffer: usize::try_from(buffer.as_u64()).unwrap_or(usize::MAX),
        }
    }
}
