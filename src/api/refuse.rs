//! The one table from what went wrong to status, public text and private text.

use ringmill_sqlite::Error;
use std::borrow::Cow;

use super::body::Refusal;
use super::exchange::Answer;
use super::faults::Faults;
use super::render::escape;
use super::words;

/// How long a client should wait before it asks again.
const RETRY_AFTER_SECONDS: u32 = 1;
/// How much of a trigger's words a client is told, in characters.
const RAISED_CHARACTERS_MAX: usize = 1000;

#[cold]
pub(super) fn not_found() -> Answer {
    Answer::json(404, words::NOT_FOUND)
}

#[cold]
pub(super) fn method_not_allowed(allow: &str) -> Answer {
    Answer { allow: Some(allow.to_owned()), ..Answer::json(405, words::METHOD_NOT_ALLOWED) }
}

#[cold]
pub(super) fn not_implemented() -> Answer {
    Answer::json(501, words::NOT_IMPLEMENTED)
}

/// The answer to OPTIONS.
pub(super) fn options(allow: &str) -> Answer {
    Answer { allow: Some(allow.to_owned()), content_type: Cow::Borrowed(""), ..Answer::json(204, "") }
}

#[cold]
pub(super) fn internal(cause: impl Into<String>) -> Answer {
    Answer::json(500, words::INTERNAL).with_cause(cause)
}

/// The answer to a body without fields; `validation` renders faults in the operation's own words.
#[cold]
pub(super) fn body(refusal: Refusal, validation: impl FnOnce(&Faults) -> Answer) -> Answer {
    match refusal {
        Refusal::ContentType => Answer::json(415, words::CONTENT_TYPE),
        Refusal::Invalid { detail } => {
            let mut body = b"{\"error\":".to_vec();
            escape(&mut body, words::INVALID_JSON);
            body.extend_from_slice(b",\"detail\":");
            escape(&mut body, &detail);
            body.push(b'}');
            Answer::json(400, body)
        }
        Refusal::NoObject => validation(&Faults::one(words::BODY, words::OBJECT)),
    }
}

/// `{"error":"…"}`, with `errors` where a field is to blame.
#[cold]
pub(super) fn plain(status: u16, error: &str, faults: &Faults) -> Answer {
    let mut body = b"{\"error\":".to_vec();
    escape(&mut body, error);
    if !faults.is_empty() {
        body.extend_from_slice(b",\"errors\":");
        faults.write(&mut body);
    }
    body.push(b'}');
    Answer::json(status, body)
}

/// What the store says, as the client's fault where it is one. `Err` gives back an error that no field causes.
#[cold]
pub(super) fn blame(error: Error) -> Result<Blame, Box<Answer>> {
    Err(Box::new(match error {
        Error::Unique { columns } => return Ok(Blame::Taken { columns }),
        Error::ForeignKey => return Ok(Blame::Reference),
        Error::NotNull { column } => return Ok(Blame::Missing { column }),
        Error::Constraint { detail } => return Ok(Blame::Constraint { detail }),
        Error::Raised { text } => return Ok(Blame::Raised { text }),
        Error::Value { detail } => return Ok(Blame::Value { detail }),
        Error::NotText { detail } => return Ok(Blame::NotText { detail }),
        Error::ValueTooLarge => return Ok(Blame::ValueTooLarge),
        Error::Timeout => unavailable("the statement ran longer than its timeout"),
        Error::Crowded => {
            unavailable("too many large answers are on their way to clients that have not taken them")
        }
        Error::NotBegun => unavailable("no thread of the database was free within database.wait_timeout"),
        Error::Unavailable { detail } => unavailable(detail),
        Error::OutcomeUnknown { detail } => Answer::json(504, words::OUTCOME_UNKNOWN).with_cause(detail),
        Error::TooLarge => {
            internal("the result was larger than 16 MiB, the most that a reply of the database may be")
        }
        Error::ResultColumns => internal(
            "a table got another column since the start, and the statement returns *; start the server again, or name the columns",
        ),
        Error::Statement { detail } | Error::Damaged { detail } => internal(detail),
    }))
}

/// What refused what was sent, mostly a constraint; columns as `table.column`.
#[derive(Debug)]
pub(super) enum Blame {
    Taken {
        columns: Vec<String>,
    },
    Reference,
    Missing {
        column: String,
    },
    Constraint {
        detail: String,
    },
    /// A trigger, in its author's words.
    Raised {
        text: String,
    },
    /// The statement is sound, but not with these values.
    Value {
        detail: String,
    },
    /// TEXT in the result is no UTF-8.
    NotText {
        detail: String,
    },
    ValueTooLarge,
}

impl Blame {
    /// For the log.
    pub(super) fn cause(&self) -> String {
        match self {
            // SQLite names no columns of such an index.
            Blame::Taken { columns } if columns.is_empty() => "unique constraint on an expression".to_owned(),
            Blame::Taken { columns } => format!("unique constraint on {}", columns.join(", ")),
            Blame::Reference => "foreign key constraint".to_owned(),
            Blame::Missing { column } => format!("{column} is NOT NULL"),
            Blame::Constraint { detail }
            | Blame::Raised { text: detail }
            | Blame::Value { detail }
            | Blame::NotText { detail } => detail.clone(),
            Blame::ValueTooLarge => "a value of more than 16 MiB".to_owned(),
        }
    }
}

/// The name, or the condition of a CHECK without one, that SQLite puts behind `CHECK constraint failed: `.
pub(super) fn constraint_name(detail: &str) -> &str {
    detail.split_once(": ").map_or(detail, |(_, name)| name)
}

/// What a trigger said, laid to the body: which field it looked at nobody knows. An expression of RAISE may be of any length.
#[cold]
pub(super) fn raised(text: &str) -> Faults {
    let end = text.char_indices().nth(RAISED_CHARACTERS_MAX).map_or(text.len(), |(end, _)| end);
    Faults::one(words::BODY, text[..end].to_owned())
}

pub(super) fn unavailable(cause: impl Into<String>) -> Answer {
    let answer =
        Answer { retry_after_seconds: Some(RETRY_AFTER_SECONDS), ..Answer::json(503, words::UNAVAILABLE) };
    answer.with_cause(cause)
}
