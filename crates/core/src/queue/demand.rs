use super::Queue;
use crate::limit::{Demand, InstanceId};

impl<W> Queue<W> {
    /// What those take who wait for an instance.
    #[must_use]
    pub fn demand(&self, instance: InstanceId) -> Demand {
        let Some(stop) = self.stops.get(instance.index()).filter(|stop| stop.waiting > 0) else {
            return Demand::default();
        };
        let head = self
            .first_at(instance)
            .and_then(|(_, head)| head.charges.iter().find(|charge| charge.instance == instance));
        let first = head.map_or(0, |charge| charge.cost.into());
        let (cost, requests) = (stop.shares.waiting(), stop.waiting as u64);
        Demand { cost, requests, clients: stop.shares.clients(), first, is_lasting: false }
    }
}
