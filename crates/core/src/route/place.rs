use super::media::Medium;

/// What a text counts for, by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As text, and each object as a message.
    Messages,
    /// As text.
    Text,
    /// As text, and so do the names of its fields: the model reads them.
    Schema,
    /// As a picture, a sound or a file, unless it is plain text.
    Media(Medium),
    /// For nothing itself: whether the picture beside it is read in low detail.
    Detail,
    /// For nothing: the model does not read it.
    Unread,
}
use Place::{Detail, Media, Messages, Schema, Text, Unread};

impl Place {
    /// That of a field of the body.
    pub(super) fn of_field(name: &str) -> Self {
        match name {
            "messages" | "input" => Messages,
            "tools" | "functions" | "response_format" => Schema,
            "audio"
            | "conversation"
            | "file_id"
            | "include"
            | "logit_bias"
            | "metadata"
            | "modalities"
            | "model"
            | "output_format"
            | "previous_response_id"
            | "prompt_cache_key"
            | "provider"
            | "reasoning"
            | "reasoning_effort"
            | "safety_identifier"
            | "service_tier"
            | "size"
            | "stream_options"
            | "thinking"
            | "tool_choice"
            | "truncation"
            | "user"
            | "voice" => Unread,
            "image" | "images" | "mask" => Media(Medium::Image),
            _ => Text,
        }
    }

    /// That of a field in an object that stands here.
    pub(super) fn of_inner(self, name: &str) -> Self {
        match (self, name) {
            (Media(_), "data" | "file_data" | "file_id" | "image_url" | "url") | (Schema | Unread, _) => self,
            (_, "detail") => Detail,
            (Media(_), "content" | "context" | "text" | "title") => Text,
            (Media(_) | Detail, _)
            | (
                _,
                "annotations" | "call_id" | "file_ids" | "id" | "logprobs" | "mimeType" | "mime_type" | "role"
                | "status" | "tool_call_id" | "type",
            ) => Unread,
            (_, "b64_json" | "image" | "image_url" | "partial_image_b64" | "result" | "screenshot") => {
                Media(Medium::Image)
            }
            (_, "audio" | "input_audio") => Media(Medium::Sound),
            (_, "file" | "file_data") => Media(Medium::File),
            (_, "data" | "file_id" | "inlineData" | "inline_data" | "source") => Media(Medium::Any),
            (_, "video" | "video_url") => Media(Medium::Video),
            (_, "encrypted_content" | "signature" | "thoughtSignature" | "thought_signature") => Media(Medium::Sealed),
            (_, "format") => Schema,
            _ => Text,
        }
    }
}
