use axum::body::{Body, BodyDataStream};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use memchr::memmem;

use crate::route::parameter;

/// An upload of type `multipart/form-data` (RFC 7578), read while it arrives: part by part, each in pieces.
pub(super) struct MultipartForm {
    body: BodyDataStream,
    /// Bytes received and not yet returned.
    read: BytesMut,
    /// What ends a part, with its line break. The first delimiter has none before it.
    delimiter: String,
}

/// The head of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FormPart {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
}

/// Why an upload cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    #[error("its type is not multipart/form-data with a boundary")]
    OtherType,
    #[error("it ends within a part")]
    EndsEarly,
    #[error("a part has a head of more than {LONGEST_HEAD} bytes, or one without a name")]
    BadHead,
}

/// The longest head of a part, in bytes. A guess: several times what SDKs send.
const LONGEST_HEAD: usize = 8 << 10;

const BLANK_LINE: &[u8] = b"\r\n\r\n";

impl MultipartForm {
    pub(super) fn new(headers: &HeaderMap, body: Body) -> Result<Self, FormError> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = parameter(kind, "boundary").filter(|boundary| !boundary.is_empty());
        let boundary = boundary.filter(|_| kind.to_ascii_lowercase().starts_with("multipart/form-data"));
        let delimiter = format!("\r\n--{}", boundary.ok_or(FormError::OtherType)?);
        // With a line break before it, the first delimiter ends an empty part.
        Ok(Self { body: body.into_data_stream(), read: BytesMut::from("\r\n"), delimiter })
    }

    /// The next part, or `None` after the last. The rest of the part before it is skipped.
    pub(super) async fn next_part(&mut self) -> Result<Option<FormPart>, FormError> {
        while self.piece().await?.is_some() {}
        let delimiter = self.delimiter.len();
        while self.read.len() < delimiter + 2 {
            self.more().await?;
        }
        if self.read[delimiter..].starts_with(b"--") {
            return Ok(None);
        }
        let end = loop {
            match memmem::find(&self.read[delimiter..], BLANK_LINE) {
                Some(end) => break delimiter + end,
                None if self.read.len() > delimiter + LONGEST_HEAD => return Err(FormError::BadHead),
                None => self.more().await?,
            }
        };
        let head = self.read.split_to(end + BLANK_LINE.len());
        FormPart::of(&head[delimiter..end]).map(Some).ok_or(FormError::BadHead)
    }

    /// The next piece of the part, or `None` at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, FormError> {
        loop {
            if let Some(end) = memmem::find(&self.read, self.delimiter.as_bytes()) {
                return Ok((end > 0).then(|| self.read.split_to(end).freeze()));
            }
            // The last bytes may be the start of a delimiter.
            let sure = (self.read.len() + 1).saturating_sub(self.delimiter.len());
            if sure > 0 {
                return Ok(Some(self.read.split_to(sure).freeze()));
            }
            self.more().await?;
        }
    }

    /// The whole part, as text.
    pub(super) async fn text(&mut self) -> Result<String, FormError> {
        let mut text = Vec::new();
        while let Some(piece) = self.piece().await? {
            text.extend_from_slice(&piece);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    async fn more(&mut self) -> Result<(), FormError> {
        let piece = self.body.next().await.and_then(Result::ok).ok_or(FormError::EndsEarly)?;
        self.read.extend_from_slice(&piece);
        Ok(())
    }
}

impl FormPart {
    fn of(head: &[u8]) -> Option<Self> {
        let lines = str::from_utf8(head).ok()?.lines().filter_map(|line| line.split_once(':'));
        let mut dispositions = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
        let (_, disposition) = dispositions.next()?;
        let text = |name| parameter(disposition, name).map(str::to_owned);
        Some(Self { name: text("name")?, file_name: text("filename") })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const UPLOAD: &str = "--XX\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--XX\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\ncontent-type: text/plain\r\n\r\n\
        one\r\n--X two\r\n\r\n--XX--\r\n";

    /// A form whose body arrives in pieces of this size.
    fn form(text: &'static str, size: usize) -> MultipartForm {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "multipart/form-data; boundary=XX".parse().expect("a value"));
        let pieces = text.as_bytes().chunks(size).map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece)));
        MultipartForm::new(&headers, Body::from_stream(stream::iter(pieces))).expect("a form")
    }

    #[tokio::test]
    async fn parts_are_read_however_they_come() {
        for size in 1..=UPLOAD.len() {
            let mut form = form(UPLOAD, size);
            let purpose = form.next_part().await.expect("no error").expect("a part");
            assert_eq!((&*purpose.name, purpose.file_name), ("purpose", None), "pieces of {size}");
            assert_eq!(form.text().await.expect("no error"), "batch", "pieces of {size}");
            let file = form.next_part().await.expect("no error").expect("a part");
            assert_eq!((&*file.name, file.file_name.as_deref()), ("file", Some("a.txt")), "pieces of {size}");
            assert_eq!(form.text().await.expect("no error"), "one\r\n--X two\r\n", "pieces of {size}");
            assert_eq!(form.next_part().await, Ok(None), "pieces of {size}");
        }
    }

    #[tokio::test]
    async fn parts_not_read_are_passed_over() {
        let mut form = form(UPLOAD, 7);
        form.next_part().await.expect("no error").expect("a part");
        let file = form.next_part().await.expect("no error").expect("a part");
        assert_eq!(file.name, "file");
    }

    #[tokio::test]
    async fn forms_that_end_early_are_broken() {
        for end in 0..UPLOAD.len() - 4 {
            let mut form = form(&UPLOAD[..end], 5);
            let broken = loop {
                match form.next_part().await {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            assert!(matches!(broken, Err(FormError::EndsEarly)), "cut at {end}: {broken:?}");
        }
    }

    #[test]
    fn other_types_are_no_forms() {
        for kind in ["application/json", "multipart/form-data", "multipart/mixed; boundary=XX"] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().expect("a value"));
            assert_eq!(MultipartForm::new(&headers, Body::empty()).err(), Some(FormError::OtherType), "{kind}");
        }
    }
}
