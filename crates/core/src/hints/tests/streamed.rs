//! Refusals behind a `200`, in the events of a stream.

use super::super::{Meanings, Pushback, RefusalCause, RefusalReader};

/// What is found in it, wherever it is cut.
fn found(stream: &str) -> Option<Pushback> {
    let read = |at: usize| {
        let mut reader = RefusalReader::default();
        let (before, after) = stream.as_bytes().split_at(at);
        reader.push(before);
        reader.push(after);
        reader.refusal(&Meanings::default())
    };
    let whole = read(0);
    for at in 1..stream.len() {
        assert_eq!(read(at), whole, "cut at {at}");
    }
    whole
}

#[test]
fn refusals_are_found_in_streams() {
    use RefusalCause::{Billing, Limit, Overload};
    let limited = r#"{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 28039, Requested 3906. Please try again in 3.89s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}"#;
    for (stream, cause, seconds) in [
        (format!("event: error\ndata: {{\"error\":{limited}}}\n\n"), Limit, Some(3.89)),
        (
            format!(
                "event: response.created\ndata: {{\"response\":{{\"error\":null}}}}\n\nevent: response.failed\ndata: \
                 {{\"response\":{{\"status\":\"failed\",\"error\" : {limited}}}}}\n\n"
            ),
            Limit,
            Some(3.89),
        ),
        (
            "event: thread.run.failed\ndata: {\"id\":\"run_1\",\"last_error\":{\"code\":\"rate_limit_exceeded\",\"message\":\
             \"You exceeded your rate. Try again in 20s.\"}}\n\n"
                .to_owned(),
            Limit,
            Some(20.0),
        ),
        (
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
                .to_owned(),
            Overload,
            None,
        ),
        ("data: {\"error\":{\"code\":\"insufficient_quota\",\"message\":\"x\"}}\n\n".to_owned(), Billing, None),
    ] {
        let refusal = found(&stream).expect(&stream);
        let wait = refusal.retry_after.map(|wait| wait.as_secs_f64());
        assert_eq!((refusal.cause, wait), (cause, seconds), "{stream}");
    }
}

#[test]
fn other_errors_and_words_are_no_refusal() {
    for stream in [
        "data: {\"error\":{\"code\":\"server_error\",\"message\":\"The server had an error.\"}}\n\n",
        "data: {\"error\":null,\"last_error\":null}\n\n",
        "data: {\"delta\":\"\\\"error\\\":{\\\"code\\\":\\\"rate_limit_exceeded\\\"}\"}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"rate_limit_exceeded\"}}]}\n\n",
        "data: [DONE]\n\n",
    ] {
        assert_eq!(found(stream), None, "{stream}");
    }
}
