use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::reload::{self, Handle};

/// How much the log tells, which may change while the gate runs.
#[derive(Clone, Debug)]
pub struct Filter {
    handle: Handle<Targets, Registry>,
}

/// The text says nothing of how much to log.
#[derive(Debug, thiserror::Error)]
#[error("{0}; write a level, as in \"info\", or several with a comma between them, as in \"info,tidegate=debug\"")]
pub struct BadLogFilter(String);

impl Filter {
    /// A filter, and the layer that obeys it.
    ///
    /// # Errors
    /// [`BadLogFilter`].
    pub fn new(text: &str) -> Result<(Self, reload::Layer<Targets, Registry>), BadLogFilter> {
        let (layer, handle) = reload::Layer::new(parse(text)?);
        Ok((Self { handle }, layer))
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        self.handle.with_current(ToString::to_string).unwrap_or_default()
    }

    /// From now on this is told.
    ///
    /// # Errors
    /// [`BadLogFilter`]; then it stays as it was.
    pub fn set(&self, text: &str) -> Result<(), BadLogFilter> {
        let filter = parse(text)?;
        self.handle.reload(filter).map_err(|error| BadLogFilter(error.to_string()))
    }
}

fn parse(text: &str) -> Result<Targets, BadLogFilter> {
    if text.trim().is_empty() {
        return Err(BadLogFilter("it is empty".to_owned()));
    }
    let directives = text.trim().split(',').map(str::trim);
    if let Some(unclear) = directives.clone().find(|directive| !is_directive(directive)) {
        return Err(BadLogFilter(format!("{unclear:?} is no level and no target=level")));
    }
    text.trim().parse::<Targets>().map_err(|error| BadLogFilter(error.to_string()))
}

/// `info`, `tidegate` or `tidegate::gate=debug`. The parser takes any text for a target.
fn is_directive(text: &str) -> bool {
    let target = text.split_once('=').map_or(text, |(target, _)| target);
    !target.is_empty() && target.chars().all(|c| c.is_alphanumeric() || "_:-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_makes_no_sense_changes_nothing() {
        let (filter, _layer) = Filter::new("info").expect("a filter");
        for wrong in ["", " ", "tidegate=loud", "[", "=debug"] {
            let error = filter.set(wrong).expect_err(wrong).to_string();
            assert!(error.contains("info,tidegate=debug"), "{error}");
        }
        assert_eq!(filter.text(), "info");
        filter.set(" tidegate=debug\n").expect("a filter");
        assert_eq!(filter.text(), "tidegate=debug");
    }
}
