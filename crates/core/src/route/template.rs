use std::fmt;
use std::str::FromStr;

use super::literal;

/// What a route matches: `POST /v1/threads/{thread_id}/runs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(super) methods: Methods,
    pub(super) segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    Any,
    Named(Vec<Box<str>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Box<str>),
    /// `{name}`: one segment.
    Param(Box<str>),
    /// `{*name}`: whatever follows, also nothing.
    Rest(Box<str>),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTemplateError {
    /// There is no method, or no path.
    #[error("a match is a method and a path, as in \"POST /v1/threads/{{thread_id}}/runs\"")]
    Shape,
    /// Methods are upper case in HTTP.
    #[error("'{0}' is no method: write GET, POST, …, several as GET,POST, or * for any")]
    Method(String),
    /// The same method twice.
    #[error("the method {0} is there twice")]
    MethodTwice(String),
    /// It asks for a tunnel.
    #[error("CONNECT asks for a tunnel, which is always refused: nothing in it could be paced")]
    Tunnel,
    /// No request would ever match it.
    #[error(
        "no path has the segment '{0}' once it is read: queries are left out, slashes folded, dots resolved and \
         %-encoding undone"
    )]
    Dead(String),
    /// A pattern of another language, which no path would match.
    #[error(
        "'{segment}' would match nothing but itself: write {{name}} for one segment or, at the end, {{*rest}} for all \
         that follows{meant}",
        segment = .0,
        meant = if_meant(.0)
    )]
    Pattern(String),
    /// Braces that do not match, or a name that is none.
    #[error("'{0}' is no parameter: write {{name}} for one segment or, at the end, {{*name}} for the rest")]
    Param(String),
    /// The same name twice.
    #[error("the parameter '{0}' is there twice")]
    Twice(String),
}

/// How a literal is written that looks like a pattern.
fn if_meant(segment: &str) -> String {
    let encoded = literal::encoded(segment);
    if encoded == segment { String::new() } else { format!("; {encoded} if a path really has it") }
}

impl FromStr for Template {
    type Err = ParseTemplateError;

    fn from_str(text: &str) -> Result<Self, ParseTemplateError> {
        let (methods, path) = text.trim().split_once(char::is_whitespace).ok_or(ParseTemplateError::Shape)?;
        let methods = methods.parse()?;
        let path = path.trim().strip_prefix('/').ok_or(ParseTemplateError::Shape)?;
        let texts = path.strip_suffix('/').unwrap_or(path).split('/').filter(|_| !path.is_empty());
        let segments = texts.map(str::parse).collect::<Result<Vec<Segment>, _>>()?;
        let template = Self { methods, segments };
        template.check_params()?;
        Ok(template)
    }
}

impl Template {
    /// The names of its parameters, in order.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Param(name) | Segment::Rest(name) => Some(&**name),
            Segment::Literal(_) => None,
        })
    }

    /// Whether a request with this method can match.
    #[must_use]
    pub fn takes(&self, method: &str) -> bool {
        match &self.methods {
            Methods::Any => true,
            Methods::Named(names) => names.iter().any(|name| &**name == method),
        }
    }

    /// Whether a request that it takes may have a body, as a GET has none.
    #[must_use]
    pub fn takes_bodies(&self) -> bool {
        let has_none = |name: &str| name == "GET" || name == "HEAD";
        !matches!(&self.methods, Methods::Named(names) if names.iter().all(|name| has_none(name)))
    }

    /// Whether all that it takes is one method and one path.
    #[must_use]
    pub fn is_one_endpoint(&self) -> bool {
        let has_one = matches!(&self.methods, Methods::Named(names) if names.len() == 1);
        has_one && self.params().next().is_none()
    }

    /// What this one still matches where `other` wins over it: itself if they never match the same, nothing if `other`
    /// matches all that it does.
    #[must_use]
    pub fn without(&self, other: &Self) -> Option<Self> {
        let is_same_path = self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(mine, other)| mine.matches_as(other));
        if !is_same_path {
            return Some(self.clone());
        }
        let methods = self.methods.without(&other.methods)?;
        Some(Self { methods, segments: self.segments.clone() })
    }

    fn check_params(&self) -> Result<(), ParseTemplateError> {
        let last = self.segments.len().saturating_sub(1);
        for (index, segment) in self.segments.iter().enumerate() {
            if let Segment::Rest(name) = segment
                && index != last
            {
                return Err(ParseTemplateError::Param(format!("{{*{name}}}")));
            }
        }
        let mut names: Vec<&str> = self.params().collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        twice.map_or(Ok(()), |pair| Err(ParseTemplateError::Twice(pair[0].to_owned())))
    }
}

impl Methods {
    fn without(&self, other: &Self) -> Option<Self> {
        let (Self::Named(mine), Self::Named(other)) = (self, other) else {
            // A named method wins over `*` anyway.
            return (*self != Self::Any || *other != Self::Any).then(|| self.clone());
        };
        let left: Vec<Box<str>> = mine.iter().filter(|name| !other.contains(name)).cloned().collect();
        (!left.is_empty()).then_some(Self::Named(left))
    }
}

impl Segment {
    /// Whether both match the same; names of parameters make no difference, and neither does the case.
    fn matches_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(mine), Self::Literal(other)) => mine.eq_ignore_ascii_case(other),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl FromStr for Methods {
    type Err = ParseTemplateError;

    fn from_str(text: &str) -> Result<Self, ParseTemplateError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let mut named: Vec<Box<str>> = Vec::new();
        for method in text.split(',') {
            let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
            match method {
                // These are methods of no one, and patterns to whoever writes them.
                _ if !is_method || matches!(method, "ANY" | "ALL") => {
                    return Err(ParseTemplateError::Method(method.to_owned()));
                }
                "CONNECT" => return Err(ParseTemplateError::Tunnel),
                twice if named.iter().any(|name| **name == *twice) => {
                    return Err(ParseTemplateError::MethodTwice(twice.to_owned()));
                }
                once => named.push(once.into()),
            }
        }
        Ok(Self::Named(named))
    }
}

impl FromStr for Segment {
    type Err = ParseTemplateError;

    fn from_str(text: &str) -> Result<Self, ParseTemplateError> {
        let is_dead = matches!(text, "" | "." | "..") || text.contains(['?', '#', '\\', ';']);
        let Some(literal) = literal::decoded(text).filter(|_| !is_dead) else {
            return Err(ParseTemplateError::Dead(text.to_owned()));
        };
        if !text.contains(['{', '}']) {
            let is_pattern = literal::is_pattern(text);
            return if is_pattern {
                Err(ParseTemplateError::Pattern(text.to_owned()))
            } else {
                Ok(Self::Literal(literal.into()))
            };
        }
        let inner = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        let inner = inner.ok_or_else(|| ParseTemplateError::Param(text.to_owned()))?;
        let (name, rest) = inner.strip_prefix('*').map_or((inner, false), |name| (name, true));
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match (is_name, rest) {
            (false, _) => Err(ParseTemplateError::Param(text.to_owned())),
            (true, true) => Ok(Self::Rest(name.into())),
            (true, false) => Ok(Self::Param(name.into())),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.methods)?;
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))?;
        if self.segments.is_empty() { f.write_str("/") } else { Ok(()) }
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Named(names) => f.write_str(&names.join(",")),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(&literal::encoded(text)),
            Self::Param(name) => write!(f, "{{{name}}}"),
            Self::Rest(name) => write!(f, "{{*{name}}}"),
        }
    }
}
