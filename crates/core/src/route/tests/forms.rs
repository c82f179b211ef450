use proptest::prelude::*;

use crate::route::Body;

const TYPE: &str = "multipart/form-data; boundary=XX";

/// A form with a file, as the SDKs send it.
const FORM: &str = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
    Content-Type: audio/wav\r\n\r\nname=\"model\"\r\n--XY\r\n\r\n--XX\r\n\
    Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--XX--\r\n";

fn model(form: &str, content_type: &str) -> Option<String> {
    Body::read(form.as_bytes(), Some(content_type))?.text("model").map(str::to_owned)
}

#[test]
fn the_model_is_found_behind_a_file() {
    assert_eq!(model(FORM, TYPE).as_deref(), Some("whisper-1"));
}

#[test]
fn a_header_counts_however_it_is_spelled() {
    for content_type in [
        "Multipart/Form-Data;boundary=XX",
        "multipart/form-data; charset=\"a;b\"; BOUNDARY=\"XX\"",
        "multipart/form-data; boundary=XX; charset=utf-8",
    ] {
        assert_eq!(model(FORM, content_type).as_deref(), Some("whisper-1"), "{content_type}");
    }
    for disposition in
        ["content-disposition:form-data;name=model", "X: y\r\nCONTENT-DISPOSITION: form-data; NAME=\"model\""]
    {
        let form = format!("a preamble\r\n--XX\r\n{disposition}\r\n\r\nm\r\n--XX--");
        assert_eq!(model(&form, TYPE).as_deref(), Some("m"), "{disposition}");
    }
}

#[test]
fn a_file_is_not_the_model_even_under_its_name() {
    let form = "--XX\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\nm\r\n--XX--";
    assert_eq!(model(form, TYPE), None);
}

#[test]
fn a_form_costs_its_texts_and_no_files() {
    let part = |head: &str, text: &str| format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n");
    let form = |parts: &[String]| format!("{}--XX--", parts.concat());
    let tokens = |form: String| Body::read(form.as_bytes(), Some(TYPE)).expect("a form").tokens();
    let (prompt, text) = (part("name=prompt", "a cat on a mat"), "word ".repeat(1_000));
    let alone = tokens(form(std::slice::from_ref(&prompt)));
    assert!((18..=24).contains(&alone), "{alone}");
    assert_eq!(tokens(form(&[prompt, part("name=image; filename=a", &text), part("name=model", "m")])), alone);
}

#[test]
fn a_form_that_does_not_end_or_has_no_boundary_says_nothing() {
    assert_eq!(Body::read(&FORM.as_bytes()[..FORM.len() - 6], Some(TYPE)), None);
    assert_eq!(Body::read(FORM.as_bytes(), Some("multipart/form-data")), None);
    assert_eq!(Body::read(FORM.as_bytes(), Some("multipart/form-data; boundary=")), None);
    assert_eq!(Body::read(FORM.as_bytes(), Some("multipart/form-data; boundary=ZZ")), None);
}

proptest! {
    #[test]
    fn no_form_breaks_it(pieces in proptest::collection::vec("--XX|--|\r\n|name=\"|\"|;|Content-Disposition: |[a-z]", 0..40)) {
        drop(Body::read(pieces.concat().as_bytes(), Some(TYPE)));
    }
}
