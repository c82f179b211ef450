//! How often the upstream accepted and refused, by how much there was already: the evidence about one limit.

use smallvec::SmallVec;

/// So many bins lie on each side of the reference, each a step wide; a step is 1/32 to 1/16 of it, or 1.
const FINE: u16 = 8;
/// Beyond them the bounds are these parts of the reference, in eighths.
const COARSE_BELOW: [u16; 5] = [0, 1, 2, 4, 5];
const COARSE_ABOVE: [u16; 6] = [12, 14, 16, 24, 32, 64];
const BINS: usize = COARSE_BELOW.len() + 2 * FINE as usize + COARSE_ABOVE.len();

/// A refusal that follows another has a quarter of the weight of one that follows an acceptance: both have one cause. A
/// guess.
pub(super) const WHOLE: u16 = 4;
pub(super) const FOLLOWING: u16 = 1;

/// So much is remembered of each bin.
const REMEMBERED: u16 = 4_000 * WHOLE;

/// Answers by level: fine about the level of the first refusal, coarse elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    accepted: [u16; BINS],
    refused: [u16; BINS],
    /// The level about which the bins are fine.
    reference: u16,
    /// A step is a power of two.
    shift: u8,
    /// The lowest level that was refused, of what counts.
    lowest: u16,
    any: bool,
}

/// A limit that explains the answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// How well: the logarithm of the marginal likelihood.
    pub(super) score: f64,
    /// How many there may be at most.
    pub(super) limit: u32,
}

/// What a limit's kind says of the levels above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    /// The upstream refuses.
    Refused,
    /// Up to twice the limit it depends on when the upstream's window began (docs/upstream.md §6).
    RefusedFromTwice,
}

/// A blurred limit is as much less likely than a sharp one. A guess.
const BLURRED: f64 = -2.0;

/// Prior weights of refusals and acceptances: below a limit a refusal is a mistake of ours about what was under way;
/// above it an acceptance is. In between nothing is known.
const BELOW: Prior = Prior { refused: 0.2, accepted: 60.0, ln_beta: 0.706_530_455_574_721_8 };
const ABOVE: Prior = Prior { refused: 12.0, accepted: 0.4, ln_beta: -0.187_259_869_592_384_83 };
const OPEN: Prior = Prior { refused: 1.0, accepted: 1.0, ln_beta: 0.0 };
const UP_TO_TWICE: Prior = Prior { refused: 3.0, accepted: 1.0, ln_beta: -1.098_612_288_668_110_4 };

/// A share of refusals that does not depend on what is sent may be any, and is small as a rule. A guess.
pub(super) const RANDOM: Prior = Prior { refused: 1.0, accepted: 4.0, ln_beta: -1.386_294_361_119_889_5 };

/// What no limit binds is hardly ever refused. A guess.
pub(super) const FREE: Prior = BELOW;

/// An incident is rare, and while it lasts hardly anything is accepted. Guesses.
pub(super) const BEGINS: Prior = Prior { refused: 0.3, accepted: 1_000.0, ln_beta: -0.976_423_581_881_135_8 };
pub(super) const LASTS: Prior = Prior { refused: 10.0, accepted: 1.0, ln_beta: -2.302_585_092_994_047 };

/// What is expected of a share of refusals: as if so many had been seen before, with the logarithm of the beta function of
/// both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    refused: f64,
    accepted: f64,
    ln_beta: f64,
}

impl Histogram {
    /// Bins that are fine about this level.
    fn about(reference: u16) -> Self {
        let shift = u8::try_from((reference / 32).max(1).ilog2()).unwrap_or(0);
        Self { reference, shift, ..Self::default() }
    }

    pub(super) fn accept(&mut self, level: u16, weight: u16) {
        let weight = weight * WHOLE;
        if !self.any && level >= self.first_fine().saturating_add((2 * FINE) << self.shift) {
            self.rebase(level);
        }
        let bin = self.bin_of(level);
        self.accepted[bin] = self.accepted[bin].saturating_add(weight).min(REMEMBERED);
    }

    pub(super) fn refuse(&mut self, level: u16, weight: u16) {
        if !self.any || level < self.first_fine() {
            self.rebase(level);
        }
        let bin = self.bin_of(level);
        self.refused[bin] = self.refused[bin].saturating_add(weight).min(REMEMBERED);
        if !self.any || level < self.lowest {
            (self.lowest, self.any) = (level, true);
        }
    }

    /// The same counts, in bins that are fine about another level.
    fn rebase(&mut self, reference: u16) {
        let mut new = Self { lowest: self.lowest, any: self.any, ..Self::about(reference) };
        for bin in 0..BINS {
            let middle = u16::midpoint(self.bound(bin), self.bound(bin + 1).saturating_sub(1).max(self.bound(bin)));
            let to = new.bin_of(if bin + 1 == BINS { self.bound(bin) } else { middle });
            new.accepted[to] = new.accepted[to].saturating_add(self.accepted[bin]).min(REMEMBERED);
            new.refused[to] = new.refused[to].saturating_add(self.refused[bin]).min(REMEMBERED);
        }
        *self = new;
    }

    fn first_fine(&self) -> u16 {
        self.reference.saturating_sub(FINE << self.shift)
    }

    fn bin_of(&self, level: u16) -> usize {
        let first = self.first_fine();
        if level < first {
            let eighth = |part: &u16| (u32::from(self.reference) * u32::from(*part) / 8) as u16 <= level;
            return COARSE_BELOW.iter().rposition(eighth).unwrap_or(0);
        }
        let step = usize::from((level - first) >> self.shift);
        if step < 2 * usize::from(FINE) {
            return COARSE_BELOW.len() + step;
        }
        let eighth = |part: &u16| u32::from(self.reference.max(FINE)) * u32::from(*part) / 8 <= u32::from(level);
        COARSE_BELOW.len() + 2 * usize::from(FINE) + COARSE_ABOVE.iter().rposition(eighth).unwrap_or(0)
    }

    /// The lowest level in a bin.
    fn bound(&self, bin: usize) -> u16 {
        let (below, fine) = (COARSE_BELOW.len(), 2 * usize::from(FINE));
        let eighths =
            |part: u16| u16::try_from(u32::from(self.reference.max(FINE)) * u32::from(part) / 8).unwrap_or(u16::MAX);
        if bin < below {
            return (u32::from(self.reference) * u32::from(COARSE_BELOW[bin]) / 8) as u16;
        }
        let first = self.first_fine();
        let last = first.saturating_add((2 * FINE) << self.shift);
        match bin - below {
            step if step < fine => first.saturating_add((step as u16) << self.shift),
            step if step < fine + COARSE_ABOVE.len() => last.max(eighths(COARSE_ABOVE[step - fine])),
            _ => u16::MAX,
        }
    }

    /// Half of it, so that what is new counts more.
    pub(super) fn fade(&mut self) {
        self.accepted.iter_mut().chain(&mut self.refused).for_each(|count| *count /= 2);
        if let Some(bin) = self.refused.iter().position(|&count| count > 0) {
            self.lowest = self.bound(bin).max(self.lowest);
        }
    }

    /// How well a limit explains it, over all limits that there may be; nothing where nothing was refused.
    pub(super) fn fit(&self, above: Above) -> Option<Fit> {
        let total: u32 = self.refused.iter().map(|&count| u32::from(count)).sum();
        let first = self.refused.iter().position(|&count| count > 0)?;
        let last = (0..BINS).rev().find(|&bin| self.refused[bin] > 0)?;
        // Every threshold is possible. Those that are worth a look lie between the first refusal and the bulk of them.
        let (mut scores, mut below) = (SmallVec::<[(f64, usize); BINS]>::new(), 0);
        for bin in first..=last {
            if below * 3 > total {
                break;
            }
            below += u32::from(self.refused[bin]);
            // What is refused when there is nothing else meets no limit.
            if self.bound(bin + 1) > 1 {
                // How the upstream counts, what it has saved up, and jitter may blur the limit.
                scores.push((self.at(bin, above, false), bin));
                scores.push((self.at(bin, above, true) + BLURRED, bin));
            }
        }
        let best = scores.iter().copied().max_by(|one, other| one.0.total_cmp(&other.0))?;
        let sum: f64 = scores.iter().map(|(score, _)| (score - best.0).exp()).sum();
        let score = best.0 + sum.ln() - (BINS as f64).ln();
        Some(Fit { score, limit: self.limit_in(best.1) })
    }

    fn limit_in(&self, bin: usize) -> u32 {
        let (bound, next) = (self.bound(bin), self.bound(bin + 1));
        let level = if self.lowest >= bound && self.lowest < next { self.lowest } else { bound };
        u32::from(level)
    }

    /// How well the limit that lies in this bin explains it.
    fn at(&self, bin: usize, above: Above, blurred: bool) -> f64 {
        let sums = |from: usize, to: usize| {
            let of = |counts: &[u16; BINS]| -> f64 {
                let counts = &counts[from.min(BINS)..to.clamp(from.min(BINS), BINS)];
                counts.iter().map(|&count| f64::from(count)).sum::<f64>() / f64::from(WHOLE)
            };
            (of(&self.refused), of(&self.accepted))
        };
        let edge = if blurred {
            let end = self.bound(bin).saturating_add(self.bound(bin) / 5 * 3);
            (bin + 1..BINS).find(|&bin| self.bound(bin) >= end).unwrap_or(BINS)
        } else {
            (bin + 1).min(BINS)
        };
        let open = match above {
            Above::Refused => edge,
            Above::RefusedFromTwice => {
                let twice = self.bound(bin).saturating_mul(2);
                (edge..BINS).find(|&bin| self.bound(bin) >= twice).unwrap_or(BINS)
            }
        };
        marginal(sums(0, bin), BELOW)
            + marginal(sums(bin, edge), OPEN)
            + marginal(sums(edge, open), UP_TO_TWICE)
            + marginal(sums(open, BINS), ABOVE)
    }
}

/// The logarithm of the probability of so many refusals and acceptances, in their order, where the share of refusals is
/// not known but has this prior: the beta-binomial model.
pub(super) fn marginal((refused, accepted): (f64, f64), prior: Prior) -> f64 {
    if refused + accepted == 0.0 {
        return 0.0;
    }
    ln_beta(prior.refused + refused, prior.accepted + accepted) - prior.ln_beta
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// Stirling's series after two steps up, which is right to a millionth from 0.2 on.
fn ln_gamma(x: f64) -> f64 {
    let mut x = x;
    let mut product = 1.0;
    while x < 5.0 {
        product *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    (x - 0.5) * x.ln() - x + 0.918_938_533_204_672_7 + inverse / 12.0 - inverse.powi(3) / 360.0 - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_is_that_of_factorials() {
        for (x, factorial) in [(1.0, 1.0_f64), (2.0, 1.0), (5.0, 24.0), (11.0, 3_628_800.0), (0.5, 1.772_453_850_9)] {
            assert!((ln_gamma(x) - factorial.ln()).abs() < 1e-5, "{x}");
        }
    }

    #[test]
    fn priors_know_their_beta_function() {
        for prior in [BELOW, ABOVE, OPEN, UP_TO_TWICE, RANDOM, BEGINS, LASTS] {
            assert!((ln_beta(prior.refused, prior.accepted) - prior.ln_beta).abs() < 1e-4, "{prior:?}");
        }
    }

    #[test]
    fn threshold_lies_where_refusals_begin() {
        let mut histogram = Histogram::default();
        (0..10).for_each(|level| histogram.accept(level, 3));
        (10..40).for_each(|level| histogram.refuse(level, WHOLE));
        let fit = histogram.fit(Above::Refused).expect("refusals");
        assert_eq!(fit.limit, 10);
    }

    #[test]
    fn refusals_at_any_level_fit_chance_better_than_limit() {
        let mut histogram = Histogram::default();
        for level in 0..40 {
            histogram.accept(level, 19);
            histogram.refuse(level, WHOLE);
        }
        let chance = marginal((40.0, 760.0), RANDOM);
        let fit = histogram.fit(Above::Refused).expect("refusals");
        assert!(fit.score < chance - 3.0, "{} against {chance}", fit.score);
    }
}
