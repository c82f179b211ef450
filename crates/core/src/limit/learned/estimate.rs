use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::lower::Lower;
use super::seeking::Seeking;
use super::shared::Shared;
use super::smooth::Smooth;
use super::{Basis, EstimateView, lower, shared};
use crate::limit::pace::Pace;
use crate::limit::window::Window;

/// What the upstream's limit is taken for.
#[derive(Clone, Debug)]
pub(super) enum Estimate {
    /// What is configured, as far as can be seen.
    Nothing,
    /// Nobody knows yet: a few go each second, so that one of them is answered.
    Unknown(Pace),
    /// One that nobody wrote down, and whose window is not known.
    Seeking(Seeking),
    /// Lower than configured.
    Lower(Lower),
    /// As configured, and spent evenly.
    Smooth(Smooth),
    /// As configured, and somebody else takes from it.
    Shared(Shared),
    /// A bucket whose figures the upstream tells.
    Bucket(Bucket),
}

impl Estimate {
    pub(super) fn window(&self) -> Option<&Window> {
        if let Self::Lower(lower) = self { Some(lower.window()) } else { None }
    }

    pub(super) fn window_mut(&mut self) -> Option<&mut Window> {
        if let Self::Lower(lower) = self { Some(lower.window_mut()) } else { None }
    }

    pub(super) fn pace(&self) -> Option<&Pace> {
        match self {
            Self::Nothing => None,
            Self::Unknown(pace) => Some(pace),
            Self::Seeking(seeking) => Some(seeking.pace()),
            Self::Lower(lower) => Some(lower.pace()),
            Self::Smooth(smooth) => Some(smooth.pace()),
            Self::Shared(shared) => Some(shared.pace()),
            Self::Bucket(bucket) => Some(bucket.pace()),
        }
    }

    pub(super) fn pace_mut(&mut self) -> Option<&mut Pace> {
        match self {
            Self::Nothing => None,
            Self::Unknown(pace) => Some(pace),
            Self::Seeking(seeking) => Some(seeking.pace_mut()),
            Self::Lower(lower) => Some(lower.pace_mut()),
            Self::Smooth(smooth) => Some(smooth.pace_mut()),
            Self::Shared(shared) => Some(shared.pace_mut()),
            Self::Bucket(bucket) => Some(bucket.pace_mut()),
        }
    }

    /// Whether it is less than is configured.
    pub(super) fn holds_less(&self) -> bool {
        matches!(self, Self::Seeking(_) | Self::Lower(_) | Self::Smooth(_) | Self::Shared(_))
    }

    /// In words for people.
    pub(super) fn estimate(&self, now: Instant) -> Option<EstimateView> {
        match self {
            Self::Nothing => None,
            Self::Unknown(_) | Self::Seeking(_) => Some(EstimateView::Unknown),
            Self::Lower(lower) => Some(EstimateView::Lower { limit: lower.limit() }),
            Self::Smooth(smooth) => Some(EstimateView::Smooth { limit: smooth.limit(), burst: smooth.burst() }),
            Self::Shared(_) => Some(EstimateView::Shared),
            Self::Bucket(bucket) => {
                Some(EstimateView::Reported { limit: bucket.limit(), left: bucket.pace().left(now) })
            }
        }
    }

    /// The upstream took another one, which was sent since it last refused if that `is_news`; what is believed then.
    pub(super) fn accepted(&mut self, now: Instant, is_news: bool, basis: Basis, log: &mut Window) -> Option<Self> {
        match self {
            // Whoever tells nothing may have no limit.
            Self::Unknown(_) => Some(Self::Nothing),
            Self::Seeking(seeking) if is_news => {
                let (used, basis) = seeking.found(now, basis);
                Some(Self::Lower(Lower::new(now, used, basis, log)))
            }
            Self::Lower(lower) => lower.accepted(now).then_some(Self::Nothing),
            Self::Smooth(smooth) => {
                smooth.accepted();
                None
            }
            Self::Shared(shared) => match shared.accepted(now, log) {
                shared::Turned::Free => Some(Self::Nothing),
                shared::Turned::Steady(lower) => Some(Self::Lower(*lower)),
                shared::Turned::Still => None,
            },
            Self::Nothing | Self::Seeking(_) | Self::Bucket(_) => None,
        }
    }

    /// The upstream refused; how long nobody goes, and what is believed then if it is something else.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        used: u64,
        basis: Basis,
        log: &mut Window,
    ) -> (Duration, Option<Self>) {
        match self {
            Self::Nothing | Self::Unknown(_) => (Duration::ZERO, None),
            Self::Seeking(seeking) => {
                seeking.refused(now);
                (Duration::ZERO, None)
            }
            Self::Lower(lower) => match lower.refused(now) {
                lower::Turned::Still(rest) => (rest, None),
                lower::Turned::Varies => {
                    let shared = Shared::new(now, basis);
                    (shared.as_ref().map_or(Duration::ZERO, Shared::rest), shared.map(Self::Shared))
                }
            },
            Self::Smooth(smooth) => {
                let is_less = smooth.refused(now);
                (Duration::ZERO, is_less.then(|| Self::Lower(Lower::new(now, used, basis, log))))
            }
            Self::Shared(shared) => (shared.refused(), None),
            Self::Bucket(bucket) => (bucket.refused(now), None),
        }
    }

    /// Of what was under way when the upstream refused, less was accepted than it seemed.
    pub(super) fn refine(&mut self, now: Instant, used: u64) {
        match self {
            Self::Lower(lower) => lower.refine(now, used),
            Self::Seeking(seeking) => seeking.refine(used),
            Self::Smooth(smooth) => smooth.refine(now, used),
            _ => {}
        }
    }
}
