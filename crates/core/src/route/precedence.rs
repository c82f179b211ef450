use std::fmt;

use super::base::behind_base;
use super::found::RouteId;
use super::path::{self, Segments};
use super::table::Table;
use super::template::{Methods, Segment, Template};

/// A route that matches a request as well, and why the one that it goes by is before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beaten {
    /// Which.
    pub route: RouteId,
    /// Why.
    pub because: Precedence,
}

/// Why one of two templates that match the same request goes before the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// In one segment, the first in which they differ, it has what is more specific.
    Segment {
        /// Which, counted from 1.
        at: usize,
        /// What it has there.
        first: String,
        /// What the other has.
        second: String,
    },
    /// Its path ends where that of the other has a rest, which may be nothing.
    End {
        /// That rest.
        rest: String,
    },
    /// The paths are the same, and its method is more specific.
    Method {
        /// Its own.
        first: String,
        /// That of the other.
        second: String,
    },
}

impl Table {
    /// The other routes that match a request, the one that would take it next first.
    #[must_use]
    pub fn beaten(&self, method: &str, path: &str) -> Vec<Beaten> {
        let found = self.find(method, path);
        let winner = &found.matches[0];
        let Some(won) = self.template(winner.route) else { return Vec::new() };
        let is_meant = |&reading: &path::Reading| self.find_read(method, path, reading) == *winner;
        let Some(reading) = path::readings(path).into_iter().find(is_meant) else { return Vec::new() };
        let mut segments = path::segments(path, reading);
        if winner.lacks_v1 || winner.base > 0 {
            segments = behind_base(&segments, winner.base);
        }
        let matches =
            |(route, template): &(RouteId, &Template)| *route != winner.route && template.matches(method, &segments);
        let mut beaten: Vec<(RouteId, &Template)> = self.templates().filter(matches).collect();
        beaten.sort_by_key(|(_, template)| (template.ranks(), template.methods.rank(method)));
        let because = |(route, lost)| Beaten { route, because: Precedence::between(won, lost) };
        beaten.into_iter().map(because).collect()
    }
}

impl Template {
    /// Whether a request is one of those that it is written for.
    pub(super) fn matches(&self, method: &str, segments: &Segments<'_>) -> bool {
        let has_rest = matches!(self.segments.last(), Some(Segment::Rest(_)));
        let fixed = self.segments.len() - usize::from(has_rest);
        let is_as_long = if has_rest { segments.len() >= fixed } else { segments.len() == fixed };
        let is_same = |(own, given): (&Segment, &std::borrow::Cow<'_, str>)| match own {
            Segment::Literal(text) => text.eq_ignore_ascii_case(given),
            Segment::Param(_) | Segment::Rest(_) => true,
        };
        is_as_long && self.methods.match_method(method) && self.segments.iter().zip(segments).all(is_same)
    }

    /// How specific each segment is, the lesser the more; of two templates that match, the lesser ranks go first.
    fn ranks(&self) -> Vec<u8> {
        const END: u8 = 2;
        self.segments.iter().map(Segment::rank).chain([END]).collect()
    }
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Param(_) => 1,
            // The end of a path stands between.
            Self::Rest(_) => 3,
        }
    }
}

impl Methods {
    /// Whether a request with this method is meant, be it as a GET without a body.
    pub(super) fn match_method(&self, method: &str) -> bool {
        *self == Self::Any || self.name(method) || (method.eq_ignore_ascii_case("HEAD") && self.name("GET"))
    }

    fn rank(&self, method: &str) -> u8 {
        match self {
            Self::Named(_) if self.name(method) => 0,
            Self::Named(_) => 1,
            Self::Any => 2,
        }
    }
}

impl Precedence {
    fn between(won: &Template, lost: &Template) -> Self {
        let pairs = won.segments.iter().zip(&lost.segments).enumerate();
        for (index, (first, second)) in pairs {
            if first.rank() != second.rank() {
                return Self::Segment { at: index + 1, first: first.to_string(), second: second.to_string() };
            }
        }
        match lost.segments.get(won.segments.len()) {
            Some(rest) => Self::End { rest: rest.to_string() },
            None => Self::Method { first: won.methods.to_string(), second: lost.methods.to_string() },
        }
    }
}

impl fmt::Display for Precedence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment { at, first, second } => write!(f, "in segment {at}, {first} goes before {second}"),
            Self::End { rest } => write!(f, "a path that ends goes before {rest}"),
            Self::Method { first, second } => write!(f, "of the methods, {first} goes before {second}"),
        }
    }
}
