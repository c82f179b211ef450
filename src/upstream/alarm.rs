use std::pin::{Pin, pin};
use std::task::Context;

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that moves on with each request of a connection. Its timer stays where it was set, and is set again only once
/// it has gone off before its time: a timer for each request would cost more than the rest of its connection.
#[derive(Default)]
pub(crate) struct Alarm {
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Wakes this context at a time, at the earliest.
    pub(crate) fn set(&mut self, deadline: Instant, cx: &mut Context<'_>) {
        self.deadline = Some(deadline);
        match &mut self.timer {
            Some(timer) if timer.deadline() <= deadline && !timer.is_elapsed() => {}
            _ => self.wind(deadline, cx),
        }
    }

    /// Whether its time has come.
    pub(crate) fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let (Some(deadline), Some(timer)) = (self.deadline, &self.timer) else { return false };
        if !timer.is_elapsed() {
            return false;
        }
        if timer.deadline() < deadline {
            self.wind(deadline, cx);
        }
        self.timer.as_ref().is_some_and(|timer| timer.is_elapsed())
    }

    fn wind(&mut self, deadline: Instant, cx: &mut Context<'_>) {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().reset(deadline);
        // Whether it has gone off already is asked of it afterwards.
        let _ = pin!(unconstrained(timer)).poll(cx);
    }
}
