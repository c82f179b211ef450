use super::{NOW, body, headers};
use crate::hints::{UpstreamResponse, is_gone};

/// Status, code and message of an answer, and whether it says that there is nothing at the path.
const TABLE: [(u16, &str, &str, bool); 9] = [
    (404, "", "Invalid URL (POST /v1/threads)", true),
    (404, "", "Unknown request URL: GET /v1/what. Please check the URL for typos.", true),
    (404, "unknown_url", "", true),
    (404, "model_not_found", "The model `gpt-9` does not exist or you do not have access to it.", true),
    (404, "model_not_found", "Model gpt-9 not found.", true),
    (404, "", "No thread found with id 'thread_1'.", false),
    (404, "", "No such File object: file-1", false),
    (404, "", "Vector store vs_1 not found.", false),
    (400, "", "Invalid URL (POST /v1/threads)", false),
];

#[test]
fn what_is_not_there_is_an_endpoint_or_one_object_of_it() {
    let none = headers("");
    for (status, code, message, gone) in TABLE {
        let body = body("invalid_request_error", code, message);
        let answer = UpstreamResponse { status, headers: &none, body: body.as_bytes(), now: NOW };
        assert_eq!(is_gone(&answer), gone, "{status} {code} {message}");
    }
}

#[test]
fn a_404_that_cannot_be_read_is_of_no_object() {
    let none = headers("");
    for body in ["<html><h1>Not Found</h1></html>", r#"{"detail": "Not Found"}"#, ""] {
        let answer = UpstreamResponse { status: 404, headers: &none, body: body.as_bytes(), now: NOW };
        assert!(is_gone(&answer), "{body}");
    }
}
