//! The route table: method and path decide the route, and the route decides what a request takes from which pools.
//!
//! A path is read in every way in which an upstream might read it (see [`Reading`](path::Reading)), so that no spelling
//! of it slips past its pool. The path that is *sent* stays as it came.

mod account;
mod base;
mod base64_bytes;
mod body;
mod charge;
mod endpoint;
mod facts;
mod field;
mod form;
mod found;
mod images;
mod json_string;
mod key;
mod literal;
mod media;
mod method;
mod path;
mod place;
mod precedence;
mod priority;
mod reach;
mod table;
mod template;
mod tokens;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

pub use account::account_fingerprint;
pub use body::Body;
pub use charge::{Ask, Asks, ParseChargeError, RouteCharge, Weight};
pub use facts::Facts;
pub use form::parameter;
pub use found::{Found, RouteId};
pub use key::{KeyPart, ParseKeyError};
pub use method::method_name;
pub use path::{climbs, resources};
pub use precedence::{Beaten, Precedence};
pub use priority::{ParsePriorityError, Priority};
pub use table::{Coalescing, Route, Table, Tie};
pub use template::{ParseTemplateError, Template};
pub use tokens::estimate;
