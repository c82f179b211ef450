use super::early::EarlyResponse;
use super::exchange::Exchange;
use super::shared::SharedAnswer;

/// How a request is answered.
pub(super) enum Answer {
    /// By the upstream.
    Upstream(Exchange),
    /// By a response of the upstream that several requests get.
    Shared(SharedAnswer),
    /// Before the upstream is: comments keep an event stream alive until its turn comes.
    Early(EarlyResponse),
}
