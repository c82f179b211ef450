use super::Check;
use crate::config::file::{self, Text};
use crate::config::spanned::Spanned;
use crate::config::{AccessFormat, AccessLogConfig, Collector, LogConfig};
use crate::problem::Problem;

impl Check {
    pub(super) fn log(&mut self, file: &file::Log) -> LogConfig {
        let otlp = file.otlp.as_ref().and_then(|text| self.collector(text));
        let format = match file.access {
            Some(file::Access::Text) => AccessFormat::Text,
            Some(file::Access::Json) => AccessFormat::Json,
            Some(file::Access::Off) | None => {
                self.without_access(file);
                return LogConfig { access: None, otlp };
            }
        };
        let sample = file.sample.as_ref().map_or(1.0, |share| self.share(share));
        let path = file.access_file.as_ref().map(|path| path.as_ref().into());
        LogConfig { access: Some(AccessLogConfig { format, file: path, sample }), otlp }
    }

    /// Where no line is written, neither where to nor how many has an effect.
    fn without_access(&mut self, file: &file::Log) {
        let path = file.access_file.as_ref().map(|path| ("access_file", path.span()));
        let sample = file.sample.as_ref().map(|share| ("sample", share.span()));
        for (key, at) in path.into_iter().chain(sample) {
            let (what, mend) = (format!("{key} without access"), "write access = \"json\" or \"text\", or take it out");
            self.problems.push(Problem::new(what, at, "has no effect", mend));
        }
    }

    fn share(&mut self, written: &Spanned<f64>) -> f64 {
        let share = *written.get_ref();
        if !(0.0..=1.0).contains(&share) {
            let mend = "write how many of all are told of, as in 0.1 for every tenth";
            self.problems.push(Problem::new("not a share", written.span(), "less than none or more than all", mend));
        }
        share
    }

    fn collector(&mut self, text: &Text) -> Option<Collector> {
        Collector::new(text.as_ref())
            .map_err(|label| {
                let mend = "write where an OTLP collector listens for HTTP, as in \"http://127.0.0.1:4318\"";
                self.problems.push(Problem::new("not a URL of a collector", text.span(), label, mend));
            })
            .ok()
    }
}
