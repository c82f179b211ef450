use super::stock::Stock;

/// The stocks of one pool instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Stocks {
    /// Of what is counted by rates.
    pub(super) rates: Vec<Stock>,
    pub(super) in_flight: Option<Stock>,
}

impl Stocks {
    /// What all gates have sent of the limit of the nth window, by the last answer.
    pub(super) fn used_by_all(&self, nth: usize) -> Option<u64> {
        self.rates.get(nth)?.used_by_all()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Stock> {
        self.rates.iter().chain(&self.in_flight)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Stock> {
        self.rates.iter_mut().chain(&mut self.in_flight)
    }
}
