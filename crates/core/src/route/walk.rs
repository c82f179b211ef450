use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::field::Field;
use super::tokens::Tally;

/// The fields of a JSON object with their names.
type Fields<'b> = Vec<(Cow<'b, str>, Field<'b>)>;

/// What a text counts for, by where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// As text, and each object as a message.
    Messages,
    /// As text.
    Text,
    /// As text, and so do the names of its fields: the model reads them.
    Schema,
    /// As an image, a sound or a file, however long it is.
    Medium,
    /// For nothing: the model does not read it.
    Unread,
}

/// What stands around a message, and its role (docs/upstream.md §2.2).
const MESSAGE: u32 = 4;

/// An image of 1024 pixels square in high detail, to gpt-4o (docs/upstream.md §2.2). That others cost as much is a
/// guess.
const MEDIUM: u32 = 765;

/// Walks once over a JSON text, and counts what of it is input. No fields where it is no object.
pub(super) fn fields<'b>(json: &'b [u8], input: &mut Tally) -> Option<Fields<'b>> {
    // Checked as a whole, and not string by string.
    let mut json = serde_json::Deserializer::from_str(std::str::from_utf8(json).ok()?);
    let fields = json.deserialize_any(Whole(input)).ok()?;
    json.end().ok().map(|()| fields)
}

/// Counts the text of a field of a form.
pub(super) fn count(name: &str, text: &str, input: &mut Tally) {
    Within { place: Place::of_field(name), input }.count(text);
}

impl Place {
    /// That of a field of the body.
    fn of_field(name: &str) -> Self {
        match name {
            "messages" | "input" => Self::Messages,
            "tools" | "functions" | "response_format" => Self::Schema,
            "logit_bias"
            | "metadata"
            | "model"
            | "previous_response_id"
            | "prompt_cache_key"
            | "safety_identifier"
            | "service_tier"
            | "user" => Self::Unread,
            _ => Self::Text,
        }
    }

    /// That of a field in an object that stands here.
    fn of_inner(self, name: &str) -> Self {
        match (self, name) {
            (Self::Schema | Self::Unread, _) | (Self::Medium, "data" | "file_data" | "url") => self,
            (Self::Medium, _) | (_, "call_id" | "detail" | "id" | "role" | "status" | "tool_call_id" | "type") => {
                Self::Unread
            }
            (_, "file" | "file_data" | "image_url" | "input_audio" | "source") => Self::Medium,
            (_, "format") => Self::Schema,
            _ => Self::Text,
        }
    }
}

/// The body itself.
struct Whole<'t>(&'t mut Tally);

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let place = Place::of_field(&name);
            let field = map.next_value_seed(Top(Within { place, input: &mut *self.0 }))?;
            fields.push((name, field));
        }
        Ok(fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Fields<'de>, A::Error> {
        Within { place: Place::Text, input: self.0 }.visit_seq(seq).map(|_| Fields::new())
    }
}

/// The name of a field.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(name.into())
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(name.to_owned().into())
    }
}

/// The value of a field of the body, to be kept.
struct Top<'t>(Within<'t>);

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Field<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Field<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field<'de>, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_borrowed_str<E>(mut self, text: &'de str) -> Result<Field<'de>, E> {
        self.0.count(text);
        Ok(Field::Text(text.into()))
    }

    fn visit_str<E>(mut self, text: &str) -> Result<Field<'de>, E> {
        self.0.count(text);
        Ok(Field::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Field<'de>, A::Error> {
        self.0.visit_seq(seq).map(Field::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field<'de>, A::Error> {
        self.0.visit_map(map).map(|_| Field::Other)
    }
}

/// A value anywhere in the body, to be counted. It becomes its length, if it is an array.
struct Within<'t> {
    place: Place,
    input: &'t mut Tally,
}

impl Within<'_> {
    fn count(&mut self, text: &str) {
        match self.place {
            Place::Unread => {}
            Place::Medium => self.input.add(MEDIUM),
            _ if text.starts_with("data:") && text.contains(";base64,") => self.input.add(MEDIUM),
            _ => self.input.text(text),
        }
    }

    /// A prompt may come as tokens.
    fn number(self) -> u32 {
        if self.place != Place::Unread {
            self.input.add(1);
        }
        0
    }

    fn at(&mut self, place: Place) -> Within<'_> {
        Within { place, input: self.input }
    }
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<u32, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<u32, E> {
        Ok(0)
    }

    fn visit_unit<E>(self) -> Result<u32, E> {
        Ok(0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<u32, E> {
        Ok(self.number())
    }

    fn visit_i64<E>(self, _: i64) -> Result<u32, E> {
        Ok(self.number())
    }

    fn visit_f64<E>(self, _: f64) -> Result<u32, E> {
        Ok(self.number())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<u32, E> {
        self.count(text);
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<u32, A::Error> {
        let (place, mut len) = (self.place, 0u32);
        while seq.next_element_seed(self.at(place))?.is_some() {
            len = len.saturating_add(1);
        }
        Ok(len)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<u32, A::Error> {
        if self.place == Place::Messages {
            self.input.add(MESSAGE);
        }
        while let Some(name) = map.next_key_seed(Name)? {
            if self.place == Place::Schema {
                self.input.text(&name);
            }
            let place = self.place.of_inner(&name);
            map.next_value_seed(self.at(place))?;
        }
        Ok(0)
    }
}
