//! One way of parting requests in groups, and what was seen of the groups.

use smallvec::SmallVec;

use super::histogram::{Histogram, WHOLE};
use super::sample::Sample;
use super::subject::{KeyKind, Subject};
use super::traffic::Traffic;
use super::{INDICATORS, Levels};

/// The view of routes among the views.
pub(super) const ROUTE: usize = 1;

/// So many values of a key are watched, and those with refusals the longest. A guess: a limit of each value shows in a few.
const VALUES: usize = 8;

/// So many routes of a pool are compared. A guess: more than share a pool as shipped take from it.
const ROUTES: usize = 3;

/// One way of parting the requests of a record in groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Lens {
    pub(super) names: SmallVec<[u64; 1]>,
    pub(super) groups: Vec<Traffic>,
    pub(super) evidence: Option<Box<Evidence>>,
    /// In the view of routes, of each.
    pub(super) of_route: Vec<(u64, Evidence)>,
}

/// Answers by level, of the groups that are bound, and of all other requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub(super) histograms: [Histogram; INDICATORS],
    /// Refusals and acceptances of what is not bound.
    pub(super) free: (f64, f64),
    /// And of what is.
    pub(super) bound: (f64, f64),
}

impl Evidence {
    pub(super) fn accept(&mut self, levels: &Levels) {
        self.bound.1 += 1.0;
        for (histogram, &level) in self.histograms.iter_mut().zip(levels) {
            histogram.accept(level, 1);
        }
    }

    pub(super) fn refuse(&mut self, levels: &Levels, weight: u16) {
        self.bound.0 += part(weight);
        for (histogram, &level) in self.histograms.iter_mut().zip(levels) {
            histogram.refuse(level, weight);
        }
    }

    pub(super) fn fade(&mut self) {
        self.histograms.iter_mut().for_each(Histogram::fade);
        for counts in [&mut self.free, &mut self.bound] {
            *counts = (counts.0 / 2.0, counts.1 / 2.0);
        }
    }
}

impl Lens {
    /// The evidence that a request belongs to; none where there are too many routes.
    pub(super) fn evidence(&mut self, view: usize, subject: &Subject) -> Option<&mut Evidence> {
        if view != ROUTE {
            return Some(self.evidence.get_or_insert_default());
        }
        let route = subject.route.0 as u64;
        let at = self.of_route.iter().position(|(known, _)| *known == route);
        let at = at.or_else(|| {
            (self.of_route.len() < ROUTES).then(|| {
                self.of_route.reserve_exact(1);
                self.of_route.push((route, Evidence::default()));
                self.of_route.len() - 1
            })
        })?;
        Some(&mut self.of_route[at].1)
    }

    /// The place of a group, which takes that of the one that was not used for longest if there are too many.
    pub(super) fn slot(&mut self, name: u64, at: u64) -> Option<usize> {
        if let Some(slot) = self.names.iter().position(|&known| known == name) {
            return Some(slot);
        }
        if self.names.len() < VALUES {
            self.names.push(name);
            self.groups.reserve_exact(1);
            self.groups.push(Traffic::new(at));
            return Some(self.names.len() - 1);
        }
        let idle = self.groups.iter().enumerate().filter(|(_, group)| group.in_flight == 0);
        let slot = idle.min_by_key(|(_, group)| group.used_at)?.0;
        self.names[slot] = name;
        self.groups[slot] = Traffic::new(at);
        Some(slot)
    }

    pub(super) fn group(&mut self, sample: &Sample, subject: &Subject) -> Option<&mut Traffic> {
        let name = name_of(usize::from(sample.view), subject)?;
        let slot = usize::from(sample.slot);
        (self.names.get(slot) == Some(&name)).then(|| &mut self.groups[slot])
    }
}

/// A weight as a part of a whole one.
pub(super) fn part(weight: u16) -> f64 {
    f64::from(weight) / f64::from(WHOLE)
}

/// The group of a request in a view; nothing where it belongs to none.
pub(super) fn name_of(view: usize, subject: &Subject) -> Option<u64> {
    match view {
        0 => Some(0),
        1 => Some(subject.route.0 as u64),
        _ => subject.keys[KeyKind::ALL[view - 2].index()],
    }
}
