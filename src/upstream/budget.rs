use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So much of something may be held at once, by all together.
#[derive(Clone, Debug)]
pub struct Budget {
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    most: u64,
    held: AtomicU64,
}

/// A part of a budget. Dropped, it is given back.
#[derive(Debug)]
#[must_use = "what is dropped is given back"]
pub struct Held {
    account: Arc<Account>,
    amount: u64,
}

/// Not so much is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// How much is held.
    pub held: u64,
    /// How much may be.
    pub most: u64,
}

impl Budget {
    /// A budget of which nothing is held.
    #[must_use]
    pub fn new(most: u64) -> Self {
        Self { account: Arc::new(Account { most, held: AtomicU64::new(0) }) }
    }

    /// Whether half of it is there. What is held only in case leaves the other half to those who cannot do without.
    #[must_use]
    pub fn has_plenty(&self) -> bool {
        self.held() <= self.most() / 2
    }

    /// How much is held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.account.held.load(Ordering::Relaxed)
    }

    /// How much may be.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.account.most
    }

    /// Takes a part, even one that there is no room for.
    pub fn overdraw(&self, amount: u64) -> Held {
        self.account.held.fetch_add(amount, Ordering::Relaxed);
        Held { account: Arc::clone(&self.account), amount }
    }

    /// Takes a part.
    ///
    /// # Errors
    /// [`Exhausted`], and nothing is taken.
    pub fn take(&self, amount: u64) -> Result<Held, Exhausted> {
        let Account { most, held } = &*self.account;
        let with_it = |held: u64| held.checked_add(amount).filter(|sum| sum <= most);
        match held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it) {
            Ok(_) => Ok(Held { account: Arc::clone(&self.account), amount }),
            Err(held) => Err(Exhausted { held, most: *most }),
        }
    }
}

impl Held {
    /// Takes more.
    ///
    /// # Errors
    /// [`Exhausted`]: it has been taken all the same, beyond the budget, as what is here already cannot be sent back.
    pub fn grow(&mut self, amount: u64) -> Result<(), Exhausted> {
        let Account { most, held } = &*self.account;
        let before = held.fetch_add(amount, Ordering::Relaxed);
        self.amount += amount;
        let fits = before.checked_add(amount).is_some_and(|sum| sum <= *most);
        if fits { Ok(()) } else { Err(Exhausted { held: before, most: *most }) }
    }

    /// Gives back what is beyond this.
    pub fn keep(&mut self, amount: u64) {
        self.account.held.fetch_sub(self.amount.saturating_sub(amount), Ordering::Relaxed);
        self.amount = self.amount.min(amount);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keep(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_beyond_the_budget_says_so_and_comes_back() {
        let budget = Budget::new(10);
        let mut held = budget.take(6).expect("room");
        held.grow(4).expect("room");
        assert_eq!(held.grow(1).expect_err("full"), Exhausted { held: 10, most: 10 });
        assert_eq!(budget.held(), 11);
        drop(held);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn what_is_held_is_never_more_than_may_be_and_comes_back() {
        let budget = Budget::new(10);
        let mut first = budget.take(6).expect("room");
        let second = budget.take(4).expect("room");
        assert_eq!(budget.take(1).expect_err("full"), Exhausted { held: 10, most: 10 });
        first.keep(2);
        first.keep(3);
        drop(second);
        assert_eq!(budget.take(u64::MAX).expect_err("full"), Exhausted { held: 2, most: 10 });
        drop(first);
        drop(budget.take(10).expect("all of it has come back"));
    }
}
