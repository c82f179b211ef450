use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::found::RouteId;
use super::path::Segments;
use super::template::{Methods, Segment, Template};

/// The templates, one node a segment; at each, a literal wins over a parameter and a parameter over the rest.
#[derive(Debug, Default)]
pub(super) struct Node {
    literals: Vec<(Box<str>, Node)>,
    param: Option<Box<Node>>,
    here: Vec<Leaf>,
    rest: Vec<Leaf>,
}

/// What the parameters on the way hold.
pub(super) type Held<'s> = SmallVec<[Cow<'s, str>; 4]>;

/// Where a template ends.
#[derive(Debug)]
pub(super) struct Leaf {
    methods: Methods,
    pub(super) route: RouteId,
    pub(super) params: Vec<Arc<str>>,
}

impl Node {
    /// Adds a route, or gives the one that matches the very same requests.
    pub(super) fn insert(&mut self, template: &Template, route: RouteId) -> Result<(), RouteId> {
        let leaves = self.leaves_at(&template.segments);
        if let Some(tie) = leaves.iter().find(|leaf| leaf.methods.overlaps(&template.methods)) {
            return Err(tie.route);
        }
        let params = template.params().map(Into::into).collect();
        leaves.push(Leaf { methods: template.methods.clone(), route, params });
        Ok(())
    }

    fn leaves_at(&mut self, segments: &[Segment]) -> &mut Vec<Leaf> {
        let Some((first, others)) = segments.split_first() else { return &mut self.here };
        let next = match first {
            Segment::Rest(_) => return &mut self.rest,
            Segment::Param(_) => self.param.get_or_insert_default(),
            Segment::Literal(text) => {
                let known = self.literals.iter().position(|(literal, _)| literal.eq_ignore_ascii_case(text));
                let index = known.unwrap_or_else(|| {
                    self.literals.push((text.clone(), Self::default()));
                    self.literals.len() - 1
                });
                &mut self.literals[index].1
            }
        };
        next.leaves_at(others)
    }

    /// The most specific leaf, and what its parameters hold.
    pub(super) fn find<'n, 's>(
        &'n self,
        method: &str,
        segments: &'s Segments<'_>,
        at: usize,
        held: &mut Held<'s>,
    ) -> Option<&'n Leaf> {
        let Some(segment) = segments.get(at) else {
            return choose(&self.here, method).or_else(|| self.find_rest(method, &[], held));
        };
        // Case is folded: should an upstream not mind the case, a route is not left by changing it.
        let literal = self.literals.iter().find(|(literal, _)| literal.eq_ignore_ascii_case(segment));
        if let Some(leaf) = literal.and_then(|(_, node)| node.find(method, segments, at + 1, held)) {
            return Some(leaf);
        }
        if let Some(node) = &self.param {
            held.push(Cow::Borrowed(&**segment));
            if let Some(leaf) = node.find(method, segments, at + 1, held) {
                return Some(leaf);
            }
            held.pop();
        }
        self.find_rest(method, &segments[at..], held)
    }

    fn find_rest<'s>(&self, method: &str, rest: &'s [Cow<'_, str>], held: &mut Held<'s>) -> Option<&Leaf> {
        let leaf = choose(&self.rest, method)?;
        held.push(rest.join("/").into());
        Some(leaf)
    }
}

/// A named method wins over `*`; HEAD is a GET whose answer has no body (RFC 9110 §9.3.2). Case is folded: `post` is
/// another method than `POST`, but some servers take it for the same.
fn choose<'l>(leaves: &'l [Leaf], method: &str) -> Option<&'l Leaf> {
    let named = |method: &str| leaves.iter().find(|leaf| leaf.methods.name(method));
    let as_get = || if method.eq_ignore_ascii_case("HEAD") { named("GET") } else { None };
    named(method).or_else(as_get).or_else(|| leaves.iter().find(|leaf| leaf.methods == Methods::Any))
}

impl Methods {
    pub(super) fn name(&self, method: &str) -> bool {
        matches!(self, Self::Named(names) if names.iter().any(|name| name.eq_ignore_ascii_case(method)))
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any) => true,
            (Self::Named(names), other @ Self::Named(_)) => names.iter().any(|name| other.name(name)),
            _ => false,
        }
    }
}
