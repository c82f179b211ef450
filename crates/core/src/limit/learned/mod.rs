//! What the upstream's answers have taught of one pool instance. It tightens what is configured and never loosens it,
//! shows itself, and is forgotten after a while.

mod basis;
mod bucket;
mod estimate;
mod lower;
mod recall;
mod saved;
mod seeking;
mod shared;
mod smooth;
mod view;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::pace::Pace;
use super::window::Window;
use super::{NotYet, Rate};
pub(super) use basis::Basis;
use bucket::Bucket;
use estimate::Estimate;
use lower::Lower;
use saved::KEPT;
pub use saved::{Outdated, SavedEstimate, SavedLimit};
use seeking::Seeking;
use smooth::Smooth;
pub use view::{EstimateView, LearnedUsage};

/// Half of how long nobody goes when the upstream has too much to do, the first time. A guess: the SDKs
/// begin with 500 ms (docs/upstream.md §5.2).
const SOON: Duration = Duration::from_millis(250);

/// That time doubles this often at most, to 16 s. A guess.
const DOUBLINGS: u32 = 6;

/// One request at a time goes so often before an answer has reported the limits. A guess: an answer takes about a second.
const DISCOVERY: Duration = Duration::from_millis(250);

/// The least count that says something of a limit. A guess: below it, two refusals at one count are chance.
const FEWEST: u64 = 5;

/// Two counts are about the same if they differ by this part at most. A guess.
const SAME_PART: u64 = 10;

/// Requests within this part of a window are a burst, and for as long after the first refusal the window still holds
/// what it held then. A guess.
const BURST_PART: u32 = 4;

/// A refusal at this part of the configured limit, or less, has another reason than that limit. A guess.
const FAR_BELOW_PART: u64 = 3;

/// After a refusal that nothing explains, no request goes for this part of a window; each further refusal doubles the
/// time, up to sixteen times. A guess: 1 s to 16 s of a minute.
const UNEXPLAINED_PARTS: u32 = 60;
const UNEXPLAINED_DOUBLINGS: u32 = 5;

/// All that has been learned of one pool instance.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    estimate: Estimate,
    since: Option<Instant>,
    /// When the upstream last said something of it.
    heard: Option<Instant>,
    /// When it last had before the start, where it is known from then.
    recalled: Option<Instant>,
    not_until: Option<Instant>,
    episode: Option<BurstStart>,
    /// What the window held when the upstream last refused, by this limit or another.
    suspected: Option<u64>,
    /// How often it was refused in all.
    refusals: u64,
    /// Refusals in a row that nothing explains.
    unexplained: u32,
    /// When nobody was last let go because the upstream had too much to do.
    backed_off: Option<Instant>,
}

/// From the first refusal until all who were under way by then have been answered: they were refused for the same reason.
#[derive(Clone, Copy, Debug)]
struct BurstStart {
    began: Instant,
    /// What the window held by then.
    used: u64,
    /// All that had ever been accepted by then.
    accepted: u64,
}

impl BurstStart {
    /// Whether the upstream has accepted more since, and refused at about the same count again.
    fn is_like(&self, used: u64, accepted: u64) -> bool {
        accepted > self.accepted && self.used >= FEWEST && used.abs_diff(self.used) * SAME_PART <= self.used
    }
}

impl Learned {
    /// Nothing is known.
    pub(super) fn nothing() -> Self {
        Self {
            estimate: Estimate::Nothing,
            since: None,
            heard: None,
            recalled: None,
            not_until: None,
            episode: None,
            suspected: None,
            refusals: 0,
            unexplained: 0,
            backed_off: None,
        }
    }

    /// Nothing is known, and until an answer tells the limits a few go each second.
    pub(super) fn unknown() -> Self {
        let one = NonZeroU32::MIN;
        let pace = Rate::new(one, DISCOVERY).map(|rate| Pace::new(rate, Duration::ZERO, one));
        Self { estimate: pace.map_or(Estimate::Nothing, Estimate::Unknown), ..Self::nothing() }
    }

    /// The limits that it adds.
    pub(super) fn window(&self) -> Option<&Window> {
        self.estimate.window()
    }

    pub(super) fn window_mut(&mut self) -> Option<&mut Window> {
        self.estimate.window_mut()
    }

    pub(super) fn pace(&self) -> Option<&Pace> {
        self.estimate.pace()
    }

    pub(super) fn pace_mut(&mut self) -> Option<&mut Pace> {
        self.estimate.pace_mut()
    }

    /// The instant before which nobody goes, if it is still to come.
    pub(super) fn not_until(&self, now: Instant) -> Option<Instant> {
        self.not_until.filter(|&at| at > now)
    }

    pub(super) fn check(&self, now: Instant) -> Result<(), NotYet> {
        self.not_until(now).map_or(Ok(()), |at| Err(NotYet::Until(at)))
    }

    /// Whether it has been kept for so long that it is forgotten.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        let is_old = self.heard.is_none_or(|heard| now.saturating_duration_since(heard) >= KEPT);
        is_old && self.not_until(now).is_none()
    }

    /// What the window held when the upstream last refused.
    pub(super) fn used_then(&self) -> Option<u64> {
        self.suspected
    }

    /// Whether what was sent then was under way when the upstream began to refuse.
    pub(super) fn is_under_way(&self, sent_at: Instant) -> bool {
        self.episode.is_some_and(|episode| sent_at <= episode.began)
    }

    /// Whether less is believed than is configured.
    pub(super) fn holds_less(&self) -> bool {
        self.estimate.holds_less()
    }

    pub(super) fn suspect(&mut self, used: u64) {
        self.suspected = Some(used);
    }

    pub(super) fn forget_less(&mut self) {
        if self.holds_less() {
            (self.estimate, self.episode, self.not_until) = (Estimate::Nothing, None, None);
        }
    }

    pub(super) fn usage(&self, now: Instant) -> LearnedUsage {
        LearnedUsage {
            estimate: self.estimate.estimate(now),
            since: self.since,
            recalled: self.recalled.is_some() && self.recalled == self.heard,
            not_until: self.not_until(now),
            refused_at: self.episode.map(|episode| episode.began),
            used_then: self.episode.map_or(0, |episode| episode.used),
            refusals: self.refusals,
        }
    }

    /// What a request costs by the upstream's own count, as far as that is known, that we take for so much.
    pub(super) fn scaled(&self, cost: u32) -> u32 {
        if let Estimate::Bucket(bucket) = &self.estimate { bucket.scaled(cost) } else { cost }
    }

    /// Whether answers tell what is left, and not refusals alone.
    pub(super) fn is_synced(&self) -> bool {
        matches!(&self.estimate, Estimate::Bucket(bucket) if bucket.is_synced())
    }

    pub(super) fn reported_limit(&self) -> Option<Rate> {
        if let Estimate::Bucket(bucket) = &self.estimate { Some(bucket.limit()) } else { None }
    }

    pub(super) fn bucket_mut(&mut self) -> Option<&mut Bucket> {
        if let Estimate::Bucket(bucket) = &mut self.estimate { Some(bucket) } else { None }
    }

    /// The upstream has reported its figures.
    pub(super) fn reported(&mut self, now: Instant, limit: Rate, margin: Duration) -> &mut Bucket {
        self.heard = Some(now);
        if !matches!(&self.estimate, Estimate::Bucket(bucket) if bucket.limit() == limit) {
            let before = self.pace().filter(|_| matches!(self.estimate, Estimate::Bucket(_))).cloned();
            self.believe(now, Estimate::Bucket(Bucket::new(limit, margin, before)));
        }
        let Estimate::Bucket(bucket) = &mut self.estimate else { unreachable!("it has just been made") };
        bucket
    }

    /// The upstream took a request that was sent at about `sent_at`. `log` is what it has accepted.
    pub(super) fn accepted(&mut self, now: Instant, sent_at: Instant, basis: Basis, log: &mut Window) {
        let is_news = !self.is_under_way(sent_at);
        if let Some(estimate) = self.estimate.accepted(now, is_news, basis, log) {
            self.believe(now, estimate);
        }
    }

    /// The upstream refused a request that was sent at about `sent_at` and is out of the `log` by now; it said to stay
    /// away for so long.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        sent_at: Instant,
        hint: Option<Duration>,
        basis: Basis,
        log: &mut Window,
    ) {
        self.heard = Some(now);
        self.refusals += 1;
        let used = log.used(now);
        if let Some(hint) = hint {
            self.stay_away(now + hint);
        }
        if self.is_under_way(sent_at) {
            // Much later, the window holds other requests than it did when they were refused.
            let is_fresh = self.episode.is_some_and(|episode| now < episode.began + basis.per / BURST_PART);
            if is_fresh {
                self.refine(now, used);
            }
            return;
        }
        let before = self.episode.replace(BurstStart { began: now, used, accepted: log.total() });
        if matches!(self.estimate, Estimate::Nothing | Estimate::Unknown(_)) {
            return self.learn(now, used, before, basis, log);
        }
        let (rest, estimate) = self.estimate.refused(now, used, basis, log);
        if let Some(estimate) = estimate {
            self.believe(now, estimate);
        }
        if hint.is_none_or(|hint| hint < rest) {
            self.stay_away(now + rest);
        }
    }

    /// How long nobody goes because the upstream has too much to do.
    ///
    /// What was sent before it last said so has nothing new to say.
    pub(super) fn back_off(&mut self, now: Instant, sent_at: Instant) -> Duration {
        self.heard = Some(now);
        if self.backed_off.is_some_and(|backed_off| sent_at <= backed_off) {
            return Duration::ZERO;
        }
        self.backed_off = Some(now);
        self.unexplained += 1;
        SOON * 2_u32.pow(self.unexplained.min(DOUBLINGS))
    }

    /// What was sent at about `sent_at` was accepted: the upstream has not too much to do.
    pub(super) fn is_well(&mut self, sent_at: Instant) {
        let since = self.backed_off.max(self.episode.map(|episode| episode.began));
        if since.is_none_or(|since| sent_at > since) {
            self.unexplained = 0;
        }
    }

    /// Nobody goes before.
    pub(super) fn stay_away(&mut self, until: Instant) {
        self.not_until = self.not_until.max(Some(until));
    }

    /// Grows by half in a quarter of an hour at most, from what it is now.
    pub(super) fn ramp(&mut self, now: Instant, basis: Basis, log: &mut Window) {
        self.heard = Some(now);
        self.refusals += 1;
        let used = log.used(now);
        let episode = BurstStart { began: now, used, accepted: log.total() };
        if self.episode.replace(episode).is_none_or(|before| before.began + basis.per < now) {
            self.believe(now, Estimate::Lower(Lower::ramp(now, used, basis, log)));
        }
    }

    /// The first estimate, from how much went before the refusal and how fast.
    fn learn(&mut self, now: Instant, used: u64, before: Option<BurstStart>, basis: Basis, log: &mut Window) {
        if basis.limit.is_none() {
            return self.believe(now, Estimate::Seeking(Seeking::new(now, used, log.oldest())));
        }
        let at_once = log.oldest().is_none_or(|oldest| oldest + basis.per / BURST_PART >= now);
        let far_below = basis.limit.is_some_and(|limit| used * FAR_BELOW_PART <= u64::from(limit));
        let as_before = before.is_some_and(|before| before.is_like(used, log.total()));
        if far_below
            && at_once
            && let Some(smooth) = Smooth::new(now, used, basis)
        {
            self.believe(now, Estimate::Smooth(smooth));
        } else if !far_below || as_before {
            self.believe(now, Estimate::Lower(Lower::new(now, used, basis, log)));
        } else {
            // Far below the limit, and not for a burst: pacing cannot help, so it is asked again after a while.
            self.unexplained += 1;
            let halves = 2_u32.pow(self.unexplained.min(UNEXPLAINED_DOUBLINGS));
            self.stay_away(now + (basis.per / UNEXPLAINED_PARTS * halves) / 2);
        }
    }

    /// More of what was under way has been refused, so that less of it was accepted than it seemed.
    fn refine(&mut self, now: Instant, used: u64) {
        if let Some(episode) = &mut self.episode {
            episode.used = episode.used.min(used);
        }
        self.estimate.refine(now, used);
    }

    fn believe(&mut self, now: Instant, estimate: Estimate) {
        (self.estimate, self.since) = (estimate, Some(now));
    }
}
