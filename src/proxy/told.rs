use std::time::SystemTime;

use super::Gate;
use super::client::Clients;
use super::outcome::{Ended, Outcome, Source};
use super::passing::Routed;
use crate::admission::AdmissionRequest;
use crate::limit::Unit;
use crate::log::{Asked, Entry, Story};
use crate::route::{Ask, KeyPart, Priority, method_name};

impl Gate {
    /// Begins to gather what is told of a request at its end, if anybody wants to hear.
    pub(super) fn listen(&self, routed: &mut Routed) {
        let name = &self.shared.routes.route(routed.route.found.route()).name;
        let arrived = &mut *routed.arrived;
        arrived.story = self.shared.logs.begin(name, arrived.came, &mut arrived.head.headers);
    }

    /// It asks this of its pools.
    pub(super) fn tell_asked(&self, routed: &Routed, asks: &[Ask], applicant: &AdmissionRequest) {
        let Some(story) = &routed.arrived.story else { return };
        let counts_tokens = |ask: &&Ask| self.shared.pools[ask.pool.0].limits.unit == Unit::Tokens;
        story.asks(Asked {
            model: asks.iter().find_map(|ask| self.model(ask)).map(Into::into),
            tokens: asks.iter().filter(counts_tokens).filter_map(|ask| ask.cost).max(),
            priority: Some(name(applicant.priority)),
        });
    }

    /// The model, if that is what an instance is for.
    fn model<'a>(&self, ask: &'a Ask) -> Option<&'a str> {
        let is_model = |part: &KeyPart| *part == KeyPart::Body("model".into());
        let at = self.shared.pools[ask.pool.0].key.iter().position(is_model)?;
        let model = ask.key.as_deref()?.split(' ').nth(at)?;
        (model != "-" && model != "?").then_some(model)
    }

    /// Tells of its end.
    pub(super) fn tell(&self, outcome: &Outcome, story: &Story) {
        let (asked, pools) = (story.asked(), self.shared.labels.pools(outcome.route));
        let mut entry = Entry {
            at: now() - outcome.total,
            method: method_name(outcome.method.as_str()),
            route: &self.shared.routes.route(outcome.route).name,
            client: Clients::label(outcome.client),
            ended: outcome.ended.name(),
            status: outcome.status,
            code: outcome.code,
            source: outcome.source.map(Source::name),
            wait: outcome.wait,
            upstream: outcome.upstream,
            attempts: outcome.attempts,
            total: outcome.total,
            pools: pools.split(", ").filter(|pool| !pool.is_empty()).collect(),
            model: asked.model,
            tokens: asked.tokens,
            priority: asked.priority,
        };
        if outcome.ended == Ended::Left {
            // What was under way when it left has told nobody.
            let spent = story.spent();
            entry.wait = outcome.wait.max(spent.waited);
            entry.upstream = outcome.upstream.or(spent.upstream);
            entry.attempts = outcome.attempts.max(spent.attempts);
        }
        self.shared.logs.end(&entry, story, outcome.is_plain());
    }
}

fn name(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
    }
}

#[expect(clippy::disallowed_methods, reason = "people and collectors want to know when it was")]
fn now() -> SystemTime {
    SystemTime::now()
}
