use std::borrow::Cow;

use super::field::Field;
use super::images::Detail;
use super::json_string::JsonString;
use super::media::{ImageSize, Medium, MediumCost};
use super::place::Place;
use super::tokens::Tally;

/// The fields of a JSON object with their names.
type Fields<'b> = Vec<(Cow<'b, str>, Field<'b>)>;

/// What stands around a message, and its role (docs/upstream.md §2.2).
const MESSAGE: u32 = 4;

/// How deep arrays and objects may stand in one another. A guess, which bounds the memory: schemas were seen 200 deep.
const DEEPEST: usize = 10_000;

/// Walks once over a JSON text, and counts what of it is input. No fields where it is no object, nothing where it is no JSON.
///
/// It is more lenient than a parser: half surrogate pairs and control characters in strings are let through, as upstreams
/// do. Deep bodies are no danger, as it does not call itself.
pub(super) fn fields<'b>(json: &'b [u8], input: &mut Tally) -> Option<Fields<'b>> {
    let json = std::str::from_utf8(json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json)).ok()?;
    let mut walk = Walk { json, at: 0, input, frames: Vec::with_capacity(USUAL_DEPTH) };
    let fields = match walk.peek()? {
        b'{' => walk.body()?,
        b'[' => walk.nested(Place::Text).map(|_| Fields::new())?,
        _ => return None,
    };
    walk.peek().is_none().then_some(fields)
}

/// Counts the text of a field of a form.
pub(super) fn count(name: &str, text: &str, input: &mut Tally) {
    if !matches!(Place::of_field(name), Place::Unread | Place::Media(_)) {
        input.text(text);
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Longer texts are not kept. A guess: what keys are made of has some 30 to 70 characters.
const LONGEST_KEPT: usize = 4 << 10;

/// A chat with tools is about as deep. Measured on the requests in `benches/tokens`.
const USUAL_DEPTH: usize = 8;

/// How far it has come.
struct Walk<'b, 't> {
    json: &'b str,
    at: usize,
    input: &'t mut Tally,
    /// The objects and arrays around, below the body.
    frames: Vec<Frame>,
}

/// An object or an array.
struct Frame {
    place: Place,
    is_object: bool,
    len: u32,
    /// A picture in it, whose detail may follow.
    image: Option<ImageSize>,
    detail: Detail,
}

impl<'b> Walk<'b, '_> {
    /// The fields of the body itself.
    fn body(&mut self) -> Option<Fields<'b>> {
        let mut fields = Fields::new();
        self.at += 1;
        if self.skip(b'}') {
            return Some(fields);
        }
        loop {
            let name = self.name()?.read()?;
            let field = self.field(Place::of_field(&name))?;
            fields.push((name, field));
            if self.skip(b'}') {
                return Some(fields);
            }
            self.expect(b',')?;
        }
    }

    /// The value of a field of the body, to be kept.
    fn field(&mut self, place: Place) -> Option<Field<'b>> {
        match self.peek()? {
            b'{' => self.nested(place).map(|_| Field::Other),
            b'[' => self.nested(place).map(Field::Array),
            b'"' => self.text(place),
            b't' => self.literal("true").map(|()| Field::Flag(true)),
            b'f' => self.literal("false").map(|()| Field::Flag(false)),
            b'n' => self.literal("null").map(|()| Field::Other),
            _ => self.number().map(|number| number.parse().map_or(Field::Other, Field::Number)),
        }
    }

    /// An array or an object, with all that is in it. It becomes its length.
    fn nested(&mut self, place: Place) -> Option<u32> {
        self.open(place)?;
        let mut is_first = true;
        loop {
            let is_object = self.frames.last()?.is_object;
            if self.skip(if is_object { b'}' } else { b']' }) {
                let len = self.close()?;
                if self.frames.is_empty() {
                    return Some(len);
                }
                is_first = false;
                continue;
            }
            if !is_first {
                self.expect(b',')?;
            }
            let place = self.element()?;
            is_first = matches!(self.peek()?, b'{' | b'[');
            if is_first { self.open(place)? } else { self.scalar(place)? }
        }
    }

    fn open(&mut self, place: Place) -> Option<()> {
        let is_object = self.peek()? == b'{';
        if is_object && place == Place::Messages {
            self.input.add(MESSAGE);
        }
        self.at += 1;
        self.frames.push(Frame { place, is_object, len: 0, image: None, detail: Detail::default() });
        (self.frames.len() <= DEEPEST).then_some(())
    }

    fn close(&mut self) -> Option<u32> {
        let frame = self.frames.pop()?;
        if let Some(size) = frame.image {
            self.input.images.add(size, frame.detail);
        }
        Some(frame.len)
    }

    /// Before the next value: its name, if it has one, and its place.
    fn element(&mut self) -> Option<Place> {
        let frame = self.frames.last_mut()?;
        frame.len = frame.len.saturating_add(1);
        let (place, is_object) = (frame.place, frame.is_object);
        if !is_object {
            return Some(place);
        }
        (self.peek()? == b'"').then_some(())?;
        // The model reads the names in a schema.
        let name = if place == Place::Schema { self.schema_name()? } else { self.quoted()? };
        self.expect(b':')?;
        Some(place.of_inner(name.raw()))
    }

    /// A value that is no array and no object.
    fn scalar(&mut self, place: Place) -> Option<()> {
        match self.peek()? {
            b'"' => return self.string(place).map(|_| ()),
            b't' => return self.literal("true"),
            b'f' => return self.literal("false"),
            b'n' => return self.literal("null"),
            _ => self.number()?,
        };
        // A prompt may come as tokens.
        if matches!(place, Place::Messages | Place::Text | Place::Schema) {
            self.input.add(1);
        }
        Some(())
    }

    /// A text in the body itself. Nobody asks for a long one, which would have to be copied if it has escapes.
    fn text(&mut self, place: Place) -> Option<Field<'b>> {
        if place == Place::Messages {
            self.input.add(MESSAGE);
        }
        let string = self.string(place)?;
        let is_kept = string.raw().len() <= LONGEST_KEPT;
        if is_kept { string.read().map(Field::Text) } else { Some(Field::Other) }
    }

    /// A string, which counts as its place says.
    fn string(&mut self, place: Place) -> Option<JsonString<'b>> {
        let medium = match place {
            Place::Unread | Place::Detail => None,
            Place::Media(medium) => Some(medium),
            Place::Messages | Place::Text | Place::Schema => {
                // Nothing but base64 begins so.
                let is_url = self.json[self.at + 1..].starts_with("data:");
                if !is_url {
                    return self.prose();
                }
                None
            }
        };
        let (began, string) = (self.at, self.quoted()?);
        let cost = match place {
            Place::Unread => return Some(string),
            Place::Detail => {
                self.frames.last_mut()?.detail = Detail::named(string.raw());
                return Some(string);
            }
            _ => medium.map_or_else(|| Medium::of_text(string.raw()), |medium| medium.of_string(string.raw())),
        };
        match cost {
            None => {
                self.at = began;
                return self.prose();
            }
            Some(MediumCost::Tokens(tokens)) => self.input.add(tokens),
            Some(MediumCost::Image(size)) => self.image(size),
        }
        Some(string)
    }

    /// A string that is counted as text, in the same pass that looks for its end.
    fn prose(&mut self) -> Option<JsonString<'b>> {
        let begin = self.at + 1;
        let (end, has_escapes) = self.input.quoted(self.json, begin)?;
        self.at = end + 1;
        Some(JsonString::of_raw(&self.json[begin..end], has_escapes))
    }

    /// A picture is counted at the end of its object, which may say its detail.
    fn image(&mut self, size: ImageSize) {
        match self.frames.last_mut() {
            Some(frame) => {
                if let Some(before) = frame.image.replace(size) {
                    self.input.images.add(before, frame.detail);
                }
            }
            None => self.input.images.add(size, Detail::default()),
        }
    }

    fn name(&mut self) -> Option<JsonString<'b>> {
        (self.peek()? == b'"').then_some(())?;
        let name = self.quoted()?;
        self.expect(b':')?;
        Some(name)
    }

    fn schema_name(&mut self) -> Option<JsonString<'b>> {
        if self.json[self.at..].starts_with("\"type\"") { self.quoted() } else { self.prose() }
    }

    fn quoted(&mut self) -> Option<JsonString<'b>> {
        let (string, len) = JsonString::after_quote(&self.json[self.at + 1..])?;
        self.at += 1 + len;
        Some(string)
    }

    fn number(&mut self) -> Option<&'b str> {
        let rest = &self.json[self.at..];
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let end = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let number = &rest[..end];
        self.at += end;
        number.bytes().any(|byte| byte.is_ascii_digit()).then_some(number)
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.json[self.at..].starts_with(literal).then(|| self.at += literal.len())
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.json.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip(byte).then_some(())
    }
}
