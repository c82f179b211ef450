//! What of the requests that a route matches goes by it, beside all the others.
//!
//! A few requests stand for all of them. Whatever a parameter holds, a value that no template names is matched by the
//! fewest others; so is a method that none names; and paths longer than any template are all alike.

use super::found::RouteId;
use super::path::Segments;
use super::table::Table;
use super::template::{Methods, Segment, Template};

/// A segment that no template names, as none has a `%`.
const ANY_SEGMENT: &str = "%";

/// A method that no template names, as they are of letters.
const ANY_METHOD: &str = "?";

impl Table {
    /// Where everything goes that a route matches, if nothing of it goes by the route itself.
    #[must_use]
    pub fn covers(&self, route: RouteId) -> Option<Vec<RouteId>> {
        let template = self.template(route)?;
        let mut taken = self.samples(template, template);
        if taken.contains(&route) {
            return None;
        }
        taken.sort_unstable();
        taken.dedup();
        Some(taken)
    }

    /// The more specific routes that take some of what a route matches.
    #[must_use]
    pub fn exceptions(&self, route: RouteId) -> Vec<RouteId> {
        let Some(template) = self.template(route) else { return Vec::new() };
        let others = self.templates().filter(|&(other, _)| other != route);
        let takes = |&(other, its): &(RouteId, &Template)| self.samples(template, its).contains(&other);
        others.filter(takes).map(|(other, _)| other).collect()
    }

    /// By which routes those requests go that stand for all which both match.
    fn samples(&self, one: &Template, other: &Template) -> Vec<RouteId> {
        let longest = self.templates().map(|(_, template)| template.segments.len()).max().unwrap_or_default() + 1;
        let names = [one, other].into_iter().flat_map(|template| template.methods.names());
        let both = |method: &&str| one.methods.match_method(method) && other.methods.match_method(method);
        let methods: Vec<&str> = names.chain([ANY_METHOD]).filter(both).collect();
        let paths = (0..=longest).filter_map(|length| meet(one, other, length));
        let takers =
            |path: Segments<'_>| methods.iter().map(move |method| self.find_segments(method, &path).route).collect();
        paths.flat_map::<Vec<RouteId>, _>(takers).collect()
    }
}

/// The path of this length that both match and the fewest others.
fn meet<'t>(one: &'t Template, other: &'t Template, length: usize) -> Option<Segments<'t>> {
    let [ones, others] = [one, other].map(|template| template.literals(length));
    let pair = |(one, other)| match (one, other) {
        (Some(one), Some(other)) => str::eq_ignore_ascii_case(one, other).then_some(one.into()),
        (one, other) => Some(one.or(other).unwrap_or(ANY_SEGMENT).into()),
    };
    ones?.into_iter().zip(others?).map(pair).collect()
}

impl Template {
    /// What it says of each segment of a path of this length, if it matches any.
    fn literals(&self, length: usize) -> Option<Vec<Option<&str>>> {
        let has_rest = matches!(self.segments.last(), Some(Segment::Rest(_)));
        let fixed = self.segments.len() - usize::from(has_rest);
        let literal = |at: usize| match self.segments.get(at) {
            Some(Segment::Literal(text)) => Some(&**text),
            _ => None,
        };
        let is_as_long = if has_rest { length >= fixed } else { length == fixed };
        is_as_long.then(|| (0..length).map(literal).collect())
    }
}

impl Methods {
    fn names(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Any => &[][..],
            Self::Named(names) => names,
        }
        .iter()
        .map(|name| &**name)
    }
}
