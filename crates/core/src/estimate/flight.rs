use smallvec::SmallVec;

use super::sample::Place;
use super::subject::Subject;

/// A request that was sent and is not over. Give it back to the [`Estimator`](super::Estimator) with each answer.
#[derive(Clone, Debug)]
pub struct Flight {
    pub(super) subject: Subject,
    pub(super) sent_at: u64,
    /// Where it counts in each of its pools, and last in the whole upstream.
    pub(super) places: SmallVec<[Place; 2]>,
    /// It was sent to tell two hypotheses apart.
    pub(super) challenge: bool,
}
