//! Every word that a refusal says, in one table: clients and tests rely on them, so they are short, regular and written
//! once. Which status goes with which stands in `refuse`.

use std::borrow::Cow;
use std::fmt::{Display, Write};

/// What is wrong with one field.
pub(super) type Message = Cow<'static, str>;

// Whole bodies that are the same for every route.
pub(super) const NOT_FOUND: &str = r#"{"error":"Not found"}"#;
pub(super) const METHOD_NOT_ALLOWED: &str = r#"{"error":"Method not allowed"}"#;
pub(super) const NOT_IMPLEMENTED: &str = r#"{"error":"Not implemented"}"#;
pub(super) const CONTENT_TYPE: &str = r#"{"error":"Content-Type must be application/json"}"#;
pub(super) const INTERNAL: &str = r#"{"error":"Internal server error"}"#;
pub(super) const UNAVAILABLE: &str = r#"{"error":"Service unavailable"}"#;
pub(super) const OUTCOME_UNKNOWN: &str = r#"{"error":"Outcome unknown"}"#;

// Values of `error` that get an `errors` or a `detail` beside them.
pub(super) const INVALID_JSON: &str = "Invalid JSON";
pub(super) const VALIDATION_FAILED: &str = "Validation failed";
pub(super) const CONFLICT: &str = "Conflict";

/// The name under which faults of the body as a whole stand in `errors`.
pub(super) const BODY: &str = "body";

// Faults of a field.
pub(super) const REQUIRED: &str = "is required";
pub(super) const UNKNOWN: &str = "is unknown";
pub(super) const TWICE: &str = "is given twice";
pub(super) const NOT_SETTABLE: &str = "may not be set";
pub(super) const NOT_CHANGEABLE: &str = "may not be changed";
pub(super) const TAKEN: &str = "is already taken";
pub(super) const NO_SUCH_ROW: &str = "does not exist";
pub(super) const REFERRED_TO: &str = "is still referred to";
pub(super) const NOT_ALLOWED: &str = "is not allowed";

// Faults of a value.
pub(super) const OBJECT: &str = "must be an object";
pub(super) const INTEGER: &str = "must be an integer";
pub(super) const NUMBER: &str = "must be a number";
pub(super) const STRING: &str = "must be a string";
pub(super) const BOOLEAN: &str = "must be true or false";
pub(super) const TIMESTAMP: &str = "must be a timestamp with an offset, such as 2026-11-24T02:00:00Z";
pub(super) const DATE: &str = "must be a date, such as 2026-11-24";
pub(super) const UUID: &str = "must be a UUID";
pub(super) const BASE64: &str = "must be base64 with padding";
pub(super) const JSON: &str = "must be JSON";
pub(super) const EMAIL: &str = "must be a valid e-mail address";
pub(super) const OUT_OF_RANGE: &str = "is out of range";
pub(super) const NUL: &str = "must not contain U+0000";
pub(super) const DOTS: &str = "must not be . or ..";
pub(super) const TOO_LONG_FOR_PATH: &str = "is too long for a path";
pub(super) const UNICODE: &str = "must be valid Unicode";
pub(super) const TOO_DEEP: &str = "is nested too deeply";

/// `must be at least 1 character`
pub(super) fn at_least_long(count: usize) -> Message {
    Cow::Owned(format!("must be at least {}", counted(count)))
}

/// `must be at most 100 characters`
pub(super) fn at_most_long(count: usize) -> Message {
    Cow::Owned(format!("must be at most {}", counted(count)))
}

/// `must be at least 0`
pub(super) fn at_least(bound: &dyn Display) -> Message {
    Cow::Owned(format!("must be at least {bound}"))
}

/// `must be at most 150`
pub(super) fn at_most(bound: &dyn Display) -> Message {
    Cow::Owned(format!("must be at most {bound}"))
}

/// `must be one of: active, blocked`
pub(super) fn one_of(choices: &[serde_json::Value]) -> Message {
    let mut message = String::from("must be one of: ");
    for (index, choice) in choices.iter().enumerate() {
        if index > 0 {
            message.push_str(", ");
        }
        match choice {
            serde_json::Value::String(text) => message.push_str(text),
            other => write!(message, "{other}").expect("a string takes everything"),
        }
    }
    Cow::Owned(message)
}

fn counted(count: usize) -> String {
    if count == 1 { "1 character".to_owned() } else { format!("{count} characters") }
}
