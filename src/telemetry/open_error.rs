use std::path::PathBuf;

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be written.
    #[error("log.access_file {} cannot be written: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The collector cannot be spoken to.
    #[error("log.otlp: {0}")]
    Collector(String),
}
