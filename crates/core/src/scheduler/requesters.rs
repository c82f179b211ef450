use crate::queue::ClientId;
use crate::route::RouteId;

/// Whose requests they are, and of which kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requester {
    /// Whose.
    pub client: ClientId,
    /// Of which kind.
    pub route: RouteId,
}

/// How many requests each client and route made. Beyond a bound, the others are counted together.
#[derive(Clone, Debug, Default)]
pub(super) struct Requesters {
    /// About in the order of how often they ask, so that who asks often is found soon.
    by: Vec<(Requester, u64)>,
    others: u64,
}

/// How many are told apart. A guess: the busiest are among them, and each request searches them.
const MOST: usize = 64;

impl Requesters {
    pub(super) fn ask(&mut self, requester: Requester, times: u64) {
        match self.by.iter().position(|(known, _)| *known == requester) {
            Some(at) => {
                self.by[at].1 += times;
                self.by.swap(at, at.saturating_sub(1));
            }
            None if self.by.len() < MOST => self.by.push((requester, times)),
            None => self.others += times,
        }
    }

    pub(super) fn add(&mut self, more: &Self) {
        more.by.iter().for_each(|&(requester, times)| self.ask(requester, times));
        self.others += more.others;
    }

    /// How often all of them requested.
    pub(super) fn total(&self) -> u64 {
        self.by.iter().map(|(_, times)| times).sum::<u64>() + self.others
    }

    /// Those that are told apart, who asks most first.
    pub(super) fn ranked(mut self) -> Vec<(Requester, u64)> {
        self.by.sort_by_key(|&(requester, times)| (std::cmp::Reverse(times), requester));
        self.by
    }

    /// Starts again at zero and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.by.clear();
        self.others = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requester(number: usize) -> Requester {
        Requester { client: ClientId(number as u64), route: RouteId(number % 3) }
    }

    #[test]
    fn who_asks_most_is_first_whoever_came_first() {
        let mut requesters = Requesters::default();
        [1, 2, 3, 2, 3, 3].into_iter().for_each(|number| requesters.ask(requester(number), 1));
        assert_eq!(requesters.total(), 6);
        assert_eq!(requesters.ranked(), [(requester(3), 3), (requester(2), 2), (requester(1), 1)]);
    }

    #[test]
    fn beyond_the_bound_the_others_are_counted_together() {
        let mut requesters = Requesters::default();
        (0..MOST * 3).for_each(|number| requesters.ask(requester(number), 2));
        let mut both = Requesters::default();
        both.ask(requester(0), 1);
        both.add(&requesters);
        assert_eq!((both.total(), both.others), (MOST as u64 * 6 + 1, MOST as u64 * 4));
        assert_eq!(both.ranked().len(), MOST);
    }
}
