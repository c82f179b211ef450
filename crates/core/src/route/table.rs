use std::borrow::Cow;
use std::time::Duration;

use smallvec::SmallVec;

use super::base::{MODEL, bases, behind_base, deployment};
use super::charge::{Ask, Asks, RouteCharge};
use super::endpoint::endpoint;
use super::facts::Facts;
use super::found::{Found, Match, RouteId};
use super::path::{self, Reading};
use super::priority::Priority;
use super::template::Template;
use super::tree::Node;

/// A kind of request, and how requests of that kind are treated.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// As it is written in the configuration; `default` for requests that match nothing.
    pub name: String,
    /// From which pools it takes, and how much.
    pub charges: Vec<RouteCharge>,
    /// Its priority in the queue.
    pub priority: Priority,
    /// It takes from a pool of tokens, so its responses are read for what they cost.
    pub is_metered: bool,
    /// How often an event stream that waits in the queue sends a comment, if it does.
    pub keepalive: Option<Duration>,
    /// How identical GETs share one call, if they do.
    pub coalesce: Option<Coalescing>,
}

/// How identical GETs of a route share one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalescing {
    /// How long a response serves requests that come after it.
    pub reuse: Duration,
    /// A poll that would bring nothing new is held for a while, until there is a change.
    pub hold: bool,
}

/// Every route, and the default one for whatever matches none of them.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    /// Of all routes but the default one; nothing of a route that is only remembered.
    templates: Vec<Option<Template>>,
    tree: Node,
    fallback: Option<RouteCharge>,
}

/// Two templates match the very same requests, so neither is the more specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The route that was there before.
    pub with: RouteId,
}

/// The place of the default route.
const DEFAULT: RouteId = RouteId(0);

impl Default for Table {
    fn default() -> Self {
        let default = Route { name: "default".to_owned(), ..Route::default() };
        Self { routes: vec![default], templates: Vec::new(), tree: Node::default(), fallback: None }
    }
}

impl Table {
    /// A table in which requests that no route takes to any pool take from this one.
    #[must_use]
    pub fn with_fallback(fallback: Option<RouteCharge>) -> Self {
        Self { fallback, ..Self::default() }
    }

    /// Adds a route.
    ///
    /// # Errors
    /// [`Tie`] where another route matches the same requests; the table stays as it was.
    pub fn insert(
        &mut self,
        template: &Template,
        charges: Vec<RouteCharge>,
        priority: Priority,
    ) -> Result<RouteId, Tie> {
        let id = RouteId(self.routes.len());
        self.tree.insert(template, id).map_err(|with| Tie { with })?;
        self.routes.push(Route { name: template.to_string(), charges, priority, ..Route::default() });
        self.templates.push(Some(template.clone()));
        Ok(id)
    }

    /// The same table with the ids of another for the routes of the same name, so that what is counted by id goes on. Routes
    /// that only the other has are remembered by their names, and match nothing.
    #[must_use]
    pub fn following(&self, other: &Self) -> Self {
        let mut routes: Vec<Route> =
            other.routes.iter().map(|route| Route { name: route.name.clone(), ..Route::default() }).collect();
        let mut templates = vec![None; other.templates.len()];
        let mut tree = Node::default();
        for (route, template) in self.routes.iter().zip(std::iter::once(&None).chain(&self.templates)) {
            let id = routes.iter().position(|known| known.name == route.name).unwrap_or(routes.len());
            if id == routes.len() {
                routes.push(Route::default());
                templates.push(None);
            }
            routes[id] = route.clone();
            if let Some(template) = template {
                // As they did not tie before.
                let _ = tree.insert(template, RouteId(id));
                templates[id - 1] = Some(template.clone());
            }
        }
        Self { routes, templates, tree, fallback: self.fallback.clone() }
    }

    /// Whether a route is in force, and not only remembered.
    #[must_use]
    pub fn is_in_force(&self, id: RouteId) -> bool {
        id == DEFAULT || self.template(id).is_some()
    }

    /// Every route with its id; the default one first.
    pub fn routes(&self) -> impl Iterator<Item = (RouteId, &Route)> {
        self.routes.iter().enumerate().map(|(index, route)| (RouteId(index), route))
    }

    /// The route by its id.
    #[must_use]
    pub fn route(&self, id: RouteId) -> &Route {
        &self.routes[id.0]
    }

    /// The route by its id, to configure it.
    pub fn route_mut(&mut self, id: RouteId) -> &mut Route {
        &mut self.routes[id.0]
    }

    /// What a route matches; nothing for the default one, which takes what is left.
    pub(super) fn template(&self, id: RouteId) -> Option<&Template> {
        self.templates.get(id.0.checked_sub(1)?)?.as_ref()
    }

    /// Every route that matches something, with what.
    pub(super) fn templates(&self) -> impl Iterator<Item = (RouteId, &Template)> {
        let numbered = self.templates.iter().enumerate();
        numbered.filter_map(|(index, template)| Some((RouteId(index + 1), template.as_ref()?)))
    }

    /// The route of a request; there always is one. `path` is as it came, without the query.
    ///
    /// A disguised path has several readings, and it goes by the route that takes from the most pools.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Found {
        let readings = path::readings(path);
        let mut matches: SmallVec<[Match; 1]> =
            readings.iter().map(|&reading| self.find_read(method, path, reading)).collect();
        if matches.len() > 1 {
            matches.sort_by_key(|found| std::cmp::Reverse(self.route(found.route).charges.len()));
            matches.dedup();
        }
        let is_mixed = readings.len() > 1 && path::is_mixed(path);
        Found { matches, is_mixed }
    }

    /// What a request asks of its pools: in whatever way the upstream reads its path, all that this takes is asked.
    #[must_use]
    pub fn asks(&self, found: &Found, facts: &dyn Facts) -> Asks {
        // Only a disguised path has several.
        if let [only] = &found.matches[..] {
            return self.asks_of(only, facts);
        }
        let mut asks = Asks::new();
        for reading in &found.matches {
            let of_reading = self.asks_of(reading, facts);
            let is_new = |ask: &Ask| !asks.iter().any(|known: &Ask| known.pool == ask.pool && known.key == ask.key);
            let new: Asks = of_reading.into_iter().filter(is_new).collect();
            asks.extend(new);
        }
        asks
    }

    /// Pools that are parted alike, as those of a model's requests and of its tokens are, have one key, made once.
    fn asks_of(&self, reading: &Match, facts: &dyn Facts) -> Asks {
        let mut asks = Asks::new();
        let mut before: Option<&RouteCharge> = None;
        for charge in self.charges(reading.route) {
            let cost = charge.cost(facts);
            if cost == Some(0) {
                continue;
            }
            let key = match (before, asks.last()) {
                (Some(before), Some(ask)) if before.key == charge.key => ask.key.clone(),
                _ => charge.key_of(reading, facts),
            };
            asks.push(Ask { pool: charge.pool, key, cost });
            before = Some(charge);
        }
        asks
    }

    /// Before whom a request goes: in whatever way the upstream reads its path, it is before nobody who should go first.
    #[must_use]
    pub fn priority(&self, found: &Found) -> Priority {
        found.matches.iter().map(|found| self.route(found.route).priority).max().unwrap_or_default()
    }

    /// Whether what a request asks cannot be said before its body is read.
    #[must_use]
    pub fn reads_body(&self, found: &Found) -> bool {
        found.matches.iter().any(|found| self.charges(found.route).iter().any(RouteCharge::reads_body))
    }

    /// What a route takes: as it is written, or of the fallback.
    #[must_use]
    pub fn charges(&self, id: RouteId) -> &[RouteCharge] {
        let written = &*self.route(id).charges;
        if written.is_empty() { self.fallback.as_slice() } else { written }
    }

    pub(super) fn find_read(&self, method: &str, path: &str, reading: Reading) -> Match {
        let mut segments = path::segments(path, reading);
        let as_written = self.find_segments(method, &segments);
        if as_written.route != DEFAULT {
            return as_written;
        }
        if !segments.first().is_some_and(|first| first.eq_ignore_ascii_case("v1")) {
            segments.insert(0, "v1".into());
            let with_v1 = self.find_segments(method, &segments);
            if with_v1.route != DEFAULT {
                return Match { lacks_v1: true, ..with_v1 };
            }
            segments.remove(0);
        }
        self.find_behind_base(method, &segments).unwrap_or(as_written)
    }

    /// The route of what follows the base path of some provider, in which the path may name the model.
    fn find_behind_base(&self, method: &str, segments: &path::Segments<'_>) -> Option<Match> {
        bases(segments).find_map(|base| {
            let found = self.find_segments(method, &behind_base(segments, base));
            let model = deployment(segments, base).map(|model| (MODEL.into(), model.to_owned()));
            let with_base = |mut found: Match| {
                found.params.extend(model);
                Match { base, ..found }
            };
            (found.route != DEFAULT).then(|| with_base(found))
        })
    }

    pub(super) fn find_segments(&self, method: &str, segments: &path::Segments<'_>) -> Match {
        let mut values = SmallVec::new();
        let (route, names) = match self.tree.find(method, segments, 0, &mut values) {
            Some(leaf) => (leaf.route, &*leaf.params),
            None => (DEFAULT, &[][..]),
        };
        let params = names.iter().cloned().zip(values.into_iter().map(Cow::into_owned)).collect();
        let names_endpoint = self.charges(route).iter().any(RouteCharge::names_endpoint);
        Match { route, params, lacks_v1: false, base: 0, endpoint: names_endpoint.then(|| endpoint(method, segments)) }
    }
}
