use std::time::Duration;

use super::Check;
use crate::config::{Pool, file};
use crate::problem::Problem;
use crate::route::{RouteId, Table, Template};

/// More often would be a load, and tell nobody anything. A guess.
const SHORTEST: Duration = Duration::from_secs(1);

impl Check {
    /// Sets on each route how often an event stream that waits sends a comment.
    pub(super) fn keepalive(&mut self, file: &[file::Route], table: &mut Table, pools: &[Pool]) {
        for route in file {
            if let Some((id, every)) = self.route_keepalive(route, table, pools) {
                table.route_mut(id).keepalive = Some(every);
            }
        }
    }

    fn route_keepalive(&mut self, file: &file::Route, table: &Table, pools: &[Pool]) -> Option<(RouteId, Duration)> {
        let text = file.keepalive.as_ref()?;
        let every = self.bounded_time(Some(text))?;
        let template: Template = file.matches.as_ref().parse().ok()?;
        let (id, _) = table.routes().find(|(_, route)| route.name == template.to_string())?;
        let taken: Vec<&Pool> = table.charges(id).iter().map(|charge| &pools[charge.pool.0]).collect();
        let is_known = |text: &file::Text| taken.iter().any(|pool| text.as_ref().split(':').next() == Some(&pool.name));
        // Of a pool that is wrongly named it has been said.
        if file.pools.iter().all(is_known)
            && let Some((label, mend)) = no_effect(every, &template, &taken)
        {
            self.idle(Problem::new("not a keepalive", text.span(), label, mend));
        }
        Some((id, every))
    }
}

/// Why it can have no effect, and what to write.
fn no_effect(every: Duration, template: &Template, pools: &[&Pool]) -> Option<(String, &'static str)> {
    if every < SHORTEST {
        return Some(("more often than once a second".to_owned(), "write at least \"1s\", as in \"10s\""));
    }
    if !template.takes("POST") {
        return Some(("only a POST asks for a stream, and none goes by this route".to_owned(), "take it out"));
    }
    let queueing = || pools.iter().filter(|pool| !pool.refuse_when_full);
    let shortest = queueing().min_by_key(|pool| pool.max_wait);
    let Some(shortest) = shortest.filter(|_| queueing().all(|pool| pool.max_waiting > 0)) else {
        return Some(("nobody waits on this route".to_owned(), "take it out, or name pools in which requests wait"));
    };
    if every >= shortest.max_wait {
        let max_wait = humantime::format_duration(shortest.max_wait);
        let label = format!("nobody waits so long: pool '{}' has max_wait = \"{max_wait}\"", shortest.name);
        return Some((label, "write a shorter time, or take it out"));
    }
    None
}
