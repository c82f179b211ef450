use super::charge::RouteCharge;
use super::path::{self, Reading};
use super::template::Template;
use super::tree::Node;

/// A route of the configuration, by its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);

/// A kind of request, and what each of that kind takes.
#[derive(Clone, Debug)]
pub struct Route {
    /// As it is written in the configuration; `default` for requests that match nothing.
    pub name: String,
    /// From which pools, and how much.
    pub charges: Vec<RouteCharge>,
}

/// Every route, and the default one for whatever matches none of them.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    tree: Node,
}

/// Two templates match the very same requests, so neither is the more specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The route that was there before.
    pub with: RouteId,
}

/// What the table says of a request.
#[derive(Debug)]
pub struct Found<'t> {
    /// Which route.
    pub id: RouteId,
    /// The route.
    pub route: &'t Route,
    /// Its path parameters.
    pub params: Vec<(&'t str, String)>,
    /// The path lacks the `/v1` that the route has: some users forget it in their base URL.
    pub lacks_v1: bool,
}

/// The place of the default route.
const DEFAULT: RouteId = RouteId(0);

impl Default for Table {
    fn default() -> Self {
        let default = Route { name: "default".to_owned(), charges: Vec::new() };
        Self { routes: vec![default], tree: Node::default() }
    }
}

impl Table {
    /// Adds a route.
    ///
    /// # Errors
    /// [`Tie`] where another route matches the same requests; the table stays as it was.
    pub fn insert(&mut self, template: &Template, charges: Vec<RouteCharge>) -> Result<RouteId, Tie> {
        let id = RouteId(self.routes.len());
        self.tree.insert(template, id).map_err(|with| Tie { with })?;
        self.routes.push(Route { name: template.to_string(), charges });
        Ok(id)
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

    /// The route of a request; there always is one. `path` is as it came, without the query.
    ///
    /// Of the readings of a disguised path the one that takes from the most pools counts.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Found<'_> {
        let found = path::readings(path).iter().map(|&reading| self.find_read(method, path, reading));
        found
            .reduce(|one, other| if other.route.charges.len() > one.route.charges.len() { other } else { one })
            .unwrap_or_else(|| self.default_route())
    }

    fn find_read(&self, method: &str, path: &str, reading: Reading) -> Found<'_> {
        let mut segments = path::segments(path, reading);
        let as_written = self.find_segments(method, &segments);
        if as_written.id != DEFAULT || segments.first().is_some_and(|first| first.eq_ignore_ascii_case("v1")) {
            return as_written;
        }
        segments.insert(0, "v1".into());
        let with_v1 = self.find_segments(method, &segments);
        if with_v1.id == DEFAULT { as_written } else { Found { lacks_v1: true, ..with_v1 } }
    }

    fn find_segments(&self, method: &str, segments: &path::Segments<'_>) -> Found<'_> {
        let mut values = Vec::new();
        let Some(leaf) = self.tree.find(method, segments, 0, &mut values) else { return self.default_route() };
        let params = leaf.params.iter().map(|name| &**name).zip(values).collect();
        Found { id: leaf.route, route: self.route(leaf.route), params, lacks_v1: false }
    }

    fn default_route(&self) -> Found<'_> {
        Found { id: DEFAULT, route: self.route(DEFAULT), params: Vec::new(), lacks_v1: false }
    }
}
