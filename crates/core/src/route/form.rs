use std::borrow::Cow;

use memchr::memmem;

use super::field::Field;
use super::tokens::Tally;
use super::walk;

/// A body of type `multipart/form-data` (RFC 7578), as its type says that it is divided.
pub(super) struct Form {
    /// What begins each part and ends the last; the first has no line before it.
    delimiter: String,
}

impl Form {
    /// Nothing for other types, and for a form without a boundary.
    pub(super) fn of_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next()?.trim();
        let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty());
        let delimiter = |boundary| Self { delimiter: format!("\r\n--{boundary}") };
        if essence.eq_ignore_ascii_case("multipart/form-data") { boundary.map(delimiter) } else { None }
    }

    /// The parts that are text and no files; nothing for a form that does not end.
    pub(super) fn fields<'b>(&self, body: &'b [u8], input: &mut Tally) -> Option<Vec<(Cow<'b, str>, Field<'b>)>> {
        let mut rest = self.after_first(body)?;
        let mut fields = Vec::new();
        while !rest.starts_with(b"--") {
            let end = memmem::find(rest, self.delimiter.as_bytes())?;
            if let Some((name, text)) = text_part(&rest[..end]) {
                walk::count(name, text, input);
                fields.push((name.into(), Field::Text(text.into())));
            }
            rest = &rest[end + self.delimiter.len()..];
        }
        Some(fields)
    }

    fn after_first<'b>(&self, body: &'b [u8]) -> Option<&'b [u8]> {
        let delimiter = self.delimiter.as_bytes();
        body.strip_prefix(&delimiter[2..])
            .or_else(|| memmem::find(body, delimiter).map(|at| &body[at + delimiter.len()..]))
    }
}

/// Name and text of a part that is no file.
fn text_part(part: &[u8]) -> Option<(&str, &str)> {
    let end = memmem::find(part, b"\r\n\r\n")?;
    let disposition = str::from_utf8(&part[..end]).ok()?.lines().find_map(disposition)?;
    if parameter(disposition, "filename").is_some() || parameter(disposition, "filename*").is_some() {
        return None;
    }
    Some((parameter(disposition, "name")?, str::from_utf8(&part[end + 4..]).ok()?))
}

fn disposition(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
}

/// A parameter of a header, without its quotes.
#[must_use]
pub fn parameter<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, others) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        rest = others.trim_start().strip_prefix(';')?;
    }
}
