use std::borrow::Cow;

use super::field::Field;
use super::form::Form;
use super::tokens::Tally;
use super::walk;

/// What a request's body says: its fields one level deep, and about how many tokens it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body<'b> {
    fields: Vec<(Cow<'b, str>, Field<'b>)>,
    tokens: u32,
}

/// How much the model may write: the newest name first. The largest counts where there are several.
const CAPS: [&str; 3] = ["max_completion_tokens", "max_output_tokens", "max_tokens"];

/// How many answers it writes, and how many for each that it gives.
const TIMES: [&str; 2] = ["n", "best_of"];

/// The output of a request that sets no cap. Upstreams charge it beforehand at next to nothing: 16 is what `max_tokens`
/// is for completions if it is not set (docs/upstream.md §2.2). Embeddings have no output at all.
const UNCAPPED: u64 = 16;

impl<'b> Body<'b> {
    /// Reads JSON, or a form if the content type says so; an empty body has no fields.
    ///
    /// Nothing for what cannot be understood: it may be JSON to the upstream, which need not be as strict as this: a body that is no whole JSON.
    #[must_use]
    pub fn read(bytes: &'b [u8], content_type: Option<&str>) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut input = Tally::default();
        let fields = match content_type.and_then(Form::of_type) {
            Some(form) => form.fields(bytes, &mut input)?,
            None => walk::fields(bytes, &mut input)?,
        };
        let mut body = Self { fields, tokens: 0 };
        input.add(body.output());
        body.tokens = input.total(body.text("model").unwrap_or_default());
        Some(body)
    }

    /// A field that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        if let Field::Text(text) = self.field(name)? { Some(text) } else { None }
    }

    /// The length of a field that is an array, and zero for any other.
    #[must_use]
    pub fn array_len(&self, name: &str) -> u32 {
        if let Some(Field::Array(len)) = self.field(name) { *len } else { 0 }
    }

    /// Whether the answer is wanted as a stream.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.field("stream") == Some(&Field::Flag(true))
    }

    /// About how many tokens it costs: those of its input, and as many as it lets the model write.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Of two fields with one name the later counts, as with nearly every parser.
    fn field(&self, name: &str) -> Option<&Field<'b>> {
        self.fields.iter().rev().find(|(other, _)| other == name).map(|(_, field)| field)
    }

    fn largest(&self, names: &[&str]) -> Option<u64> {
        let number =
            |name: &&str| if let Some(Field::Number(number)) = self.field(name) { Some(*number) } else { None };
        names.iter().filter_map(number).max()
    }

    fn output(&self) -> u32 {
        let each = self.largest(&CAPS).unwrap_or(UNCAPPED);
        u32::try_from(each.saturating_mul(self.largest(&TIMES).unwrap_or(1))).unwrap_or(u32::MAX)
    }
}
