//! What changes nothing on the routes that there are.

use super::Check;
use crate::config::file::{self, Text};
use crate::config::spanned::Spanned;
use crate::config::{Pool, QueueConfig};
use crate::problem::Problem;
use crate::route::{RouteId, Table, Template};

/// A route of the file that is in the table.
struct Written<'f> {
    file: &'f file::Route,
    template: Template,
    id: RouteId,
}

impl Check {
    pub(super) fn uses(&mut self, file: &file::File, table: &Table, pools: &[Pool], queue: QueueConfig) {
        let routes: Vec<Written<'_>> = file.routes.iter().filter_map(|route| Written::of(route, table)).collect();
        for route in &routes {
            self.dead_route(route, table);
            self.idle_priority(route, table, pools, queue);
            self.unread_bodies(route, queue);
        }
        for (name, pool) in &file.pools {
            let uses = |route: &&Written<'_>| route.names(name);
            let using: Vec<&Written<'_>> = routes.iter().filter(uses).collect();
            if !using.is_empty() {
                self.constant_parts(pool.get_ref(), &using, queue);
                self.unread_tokens(pool.get_ref(), &using);
            }
        }
        self.unused_max_wait(file, pools);
    }

    /// A route is dead if all that it matches goes by others, which are more specific.
    fn dead_route(&mut self, route: &Written<'_>, table: &Table) {
        let Some(covers) = table.covers(route.id) else { return };
        let names: Vec<String> = covers.into_iter().map(|by| format!("'{}'", table.route(by).name)).collect();
        let label = format!("all that it matches goes by {}, which are more specific", names.join(", "));
        let mend = "take it out, or leave some of its requests to it";
        self.idle(Problem::new("a dead route", route.file.matches.span(), label, mend));
    }

    fn idle_priority(&mut self, route: &Written<'_>, table: &Table, pools: &[Pool], queue: QueueConfig) {
        let Some(priority) = &route.file.priority else { return };
        let mut taken = table.charges(route.id).iter().map(|charge| &pools[charge.pool.0]);
        let may_wait = |pool: &Pool| !pool.refuse_when_full && pool.max_waiting.min(queue.max_waiting) > 0;
        if !taken.any(may_wait) {
            let mend = "take it out, or name pools in which requests wait";
            let label = "nobody waits on this route";
            self.idle(Problem::new("priority without a wait", priority.span(), label, mend));
        }
    }

    /// What a route wants to know of bodies, where none is read.
    fn unread_bodies(&mut self, route: &Written<'_>, queue: QueueConfig) {
        if let (Some(keepalive), 0) = (&route.file.keepalive, queue.buffer) {
            let label = "with buffer = 0 no body is read, so nobody is seen to want a stream";
            self.idle(Problem::new("keepalive without a buffer", keepalive.span(), label, "take one of them out"));
        }
        let Some(why) = unread(&[route], queue) else { return };
        for text in &route.file.pools {
            if let Some((name, weight)) = text.as_ref().split_once(':')
                && weight.starts_with("body.")
            {
                let mend = format!("write what one request takes, as in \"{name}:1\"");
                self.idle(Problem::new("a cost that nobody sees", text.span(), why, mend));
            }
        }
    }

    /// Parts of a pool's key that are the same for all who take from it.
    fn constant_parts(&mut self, pool: &file::Pool, using: &[&Written<'_>], queue: QueueConfig) {
        let unread = unread(using, queue);
        let one_endpoint = (using.len() == 1 && using[0].template.is_one_endpoint())
            .then_some("all that takes from this pool goes to one endpoint");
        for part in &pool.key {
            let why = match part.as_ref().as_str() {
                "endpoint" => one_endpoint,
                body if body.starts_with("body.") => unread,
                _ => None,
            };
            if let Some(why) = why {
                self.idle(Problem::new("a key that is always the same", part.span(), why, "take it out"));
            }
        }
    }

    fn unread_tokens(&mut self, pool: &file::Pool, using: &[&Written<'_>]) {
        if let (Some(tokens), false) = (pool.tokens.first(), using.iter().any(|route| route.template.takes_bodies())) {
            let label = "a GET has no body, and so no tokens";
            self.idle(Problem::new("tokens that nobody sends", tokens.span(), label, "take it out"));
        }
    }

    fn unused_max_wait(&mut self, file: &file::File, pools: &[Pool]) {
        let has_own = |pool: &Spanned<file::Pool>| {
            pool.get_ref().max_wait.is_some() || pool.get_ref().when_full == Some(file::WhenFull::Refuse)
        };
        let is_used = pools.iter().any(|pool| pool.implicit) || !file.pools.iter().all(|(_, pool)| has_own(pool));
        if let (Some(max_wait), false) = (&file.queue.max_wait, is_used) {
            let label = "every pool has its own, or refuses when it is full";
            self.idle(Problem::new("max_wait of no pool", max_wait.span(), label, "take it out"));
        }
    }
}

/// Why nothing is known of the bodies of those who go by these routes, if nothing is.
fn unread(routes: &[&Written<'_>], queue: QueueConfig) -> Option<&'static str> {
    if queue.buffer == 0 {
        return Some("with buffer = 0 no body is read");
    }
    let has_bodies = routes.iter().any(|route| route.template.takes_bodies());
    (!has_bodies).then_some("a GET has no body")
}

impl<'f> Written<'f> {
    fn of(file: &'f file::Route, table: &Table) -> Option<Self> {
        let template: Template = file.matches.as_ref().parse().ok()?;
        let (id, _) = table.routes().find(|(_, route)| route.name == template.to_string())?;
        Some(Self { file, template, id })
    }

    fn names(&self, pool: &str) -> bool {
        self.file.pools.iter().any(|text: &Text| text.as_ref().split(':').next() == Some(pool))
    }
}
