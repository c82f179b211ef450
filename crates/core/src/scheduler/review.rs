//! Which waiting requests are refused before their deadline, because their turn would come too late by now.

use std::time::Instant;

use super::entry::Entry;
use super::forecast::{Forecast, LinePosition, tolerance};
use super::state::{Decision, Scheduler};
use crate::queue::{QueuedRequest, Ticket};
use crate::refusal::Reason;

impl<W> Scheduler<W> {
    /// Refuses the requests whose turn would come too late by now, instead of at their deadline: from the end of each line.
    pub(super) fn review(&mut self, now: Instant) {
        if !self.queue.is_empty() {
            self.timers.start_reviews(now);
        }
        for line in self.queue.lines() {
            while let Some((ticket, forecast)) = self.too_late(now, line) {
                self.turn_away(now, ticket, forecast);
            }
        }
    }

    /// The last of a line, if its turn would come too late.
    fn too_late(&mut self, now: Instant, line: usize) -> Option<(Ticket, Forecast)> {
        let (flow, ticket, waiting, is_first) = self.queue.last_in(line)?;
        let (charges, arrived, deadline) = (waiting.charges.clone(), waiting.arrived, waiting.deadline);
        let standing = if is_first { LinePosition::First { arrived } } else { LinePosition::Last { arrived } };
        let forecast = self.forecast(now, &flow, &charges, standing);
        (forecast.turn > deadline + tolerance(forecast.turn - arrived)).then_some((ticket, forecast))
    }

    /// The deadline has come. The forecast had its turn in time, but slow responses or other requests delayed it.
    pub(super) fn time_out(&mut self, now: Instant, ticket: Ticket) {
        let Some((flow, waiting)) = self.queue.find(ticket) else { return };
        let (flow, charges, arrived, deadline) =
            (flow.clone(), waiting.charges.clone(), waiting.arrived, waiting.deadline);
        let Forecast { instance, turn, ahead } = self.forecast(now, &flow, &charges, LinePosition::First { arrived });
        self.turn_away(now, ticket, Forecast { instance, turn: turn.max(deadline), ahead });
    }

    /// Refuses a waiting request whose turn comes too late.
    pub(super) fn turn_away(&mut self, now: Instant, ticket: Ticket, forecast: Forecast) {
        let Some(flow) = self.queue.find(ticket).map(|(flow, _)| flow.clone()) else { return };
        let Some((waiting, stopped_at)) = self.leave(ticket) else { return };
        let QueuedRequest { charges, arrived, deadline, bytes, returns, waiter, .. } = waiting;
        let Forecast { instance, turn, ahead } = forecast;
        let reason = Reason::WaitTooLong {
            pool: self.ledger.pool_of(instance),
            waiting: self.queue.waiting_for(instance),
            ahead,
            eta: turn - arrived,
            max_wait: deadline - arrived,
        };
        let entry = Entry { flow, charges, seq: ticket.seq(), returns, bytes };
        let refusal = self.refuse(now, reason, &entry, instance, turn, deadline - arrived);
        self.totals.refused += 1;
        self.decisions.push(Decision::Refuse { waiter, refusal });
        self.pump(now, stopped_at);
    }
}
