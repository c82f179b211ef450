use std::borrow::Cow;

/// As much of a field as anyone asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field<'b> {
    /// What it says.
    Text(Cow<'b, str>),
    /// How long it is.
    Array(u32),
    /// A whole number.
    Number(u64),
    /// A yes or a no.
    Flag(bool),
    /// Anything else.
    Other,
}
