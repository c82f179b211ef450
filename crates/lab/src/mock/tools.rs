use serde_json::{Value, json};

use super::json_body::JsonBody;
use super::state::MockState;

/// The call of a tool that a model would make: of the first one, without arguments.
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
}

/// The arguments of every call.
pub(super) const ARGUMENTS: &str = "{}";

impl ToolCall {
    /// The call that answers this request, if it offers a tool and brings no result of one yet.
    pub(super) fn of(state: &MockState, sent: &JsonBody, is_result: impl Fn(&Value) -> bool) -> Option<Self> {
        let items = [sent.array("messages"), sent.array("input")].concat();
        let may_call = sent.text("tool_choice") != Some("none") && !items.iter().any(is_result);
        let tool = sent.array("tools").iter().find(|tool| name_of(tool).is_some()).filter(|_| may_call)?;
        Some(Self { id: state.id("call_"), name: name_of(tool)?.to_owned() })
    }

    /// As a chat completion has it.
    pub(super) fn in_chat(&self) -> Value {
        json!({ "id": self.id, "type": "function", "function": { "name": self.name, "arguments": ARGUMENTS } })
    }
}

/// Chat completions put it into `function`; Responses and Messages do not.
fn name_of(tool: &Value) -> Option<&str> {
    tool["function"]["name"].as_str().or_else(|| tool["name"].as_str())
}
