//! What goes in and out: requests, answers, and what is kept between a question to the database and its reply.

use crate::config::plan::ColumnIndex;
use ringmill_http1::Method;
use ringmill_sqlite::{Job, Value};
use std::borrow::Cow;

use super::faults::Faults;
use super::router::{OperationIndex, RouteIndex};

/// A request whose route is known. Time and chance come in here: nothing else is read from outside.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// HEAD is answered as GET; who sends the answer drops the body.
    pub method: Method,
    /// Raw, without the `?`.
    pub query: Option<&'a str>,
    /// The field's value as it came.
    pub content_type: Option<&'a [u8]>,
    /// Decoded of its transfer coding.
    pub body: &'a [u8],
    /// All fields in order: only an `echo` endpoint looks at them.
    pub fields: Fields<'a>,
    /// Microseconds since 1970: what `on_create` and `on_write` columns get.
    pub now_unix_us: i64,
    /// From a source that nobody can predict: a generated UUID is made of it. Drawn from only when there is one to make.
    pub random: &'a dyn Fn() -> u128,
}

/// Shows each field's name and value to the function given. A visit rather than an iterator, so that a request borrows its
/// head for no longer than it needs.
pub type Fields<'a> = &'a dyn Fn(&mut dyn FnMut(&str, &[u8]));

/// How a request goes on.
#[derive(Debug)]
pub enum Begin {
    /// It is answered.
    Answer(Answer),
    /// Its answer is one of [`super::Api::constants`].
    Constant(ConstantIndex),
    /// The database has to be asked; its reply and `pending` go to [`super::Api::finish`].
    Ask {
        /// For the store.
        job: Job,
        /// For `finish`.
        pending: Pending,
    },
}

/// Index into [`super::Api::constants`].
pub type ConstantIndex = usize;

/// An answer that never changes.
#[derive(Clone, Debug)]
pub struct Constant {
    /// The status code.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
}

/// What the client gets, but for the fields that belong to the connection and the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Empty with status 204.
    pub body: Vec<u8>,
    /// `Content-Type`; empty when there is no body.
    pub content_type: Cow<'static, str>,
    /// `Location`, a path.
    pub location: Option<String>,
    /// `Allow`.
    pub allow: Option<String>,
    /// `Retry-After`.
    pub retry_after_seconds: Option<u32>,
    /// Why it failed: for the log, never sent.
    pub cause: Option<String>,
    /// Whether the log has to say why a client is refused: the body names no field.
    pub is_unexplained: bool,
}

impl Answer {
    /// `application/json`.
    pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            body: body.into(),
            content_type: Cow::Borrowed("application/json"),
            location: None,
            allow: None,
            retry_after_seconds: None,
            cause: None,
            is_unexplained: false,
        }
    }

    /// To a request that has too many ahead of it.
    pub fn shed() -> Answer {
        super::refuse::unavailable("the database did not get to it within wait_timeout")
    }

    pub(super) fn with_cause(mut self, cause: impl Into<String>) -> Answer {
        self.cause = Some(cause.into());
        self
    }

    /// [`with_cause`](Answer::with_cause) of a refusal; `faults` are what the client is told.
    pub(super) fn refused_for(self, cause: impl Into<String>, faults: &Faults) -> Answer {
        Answer { is_unexplained: faults.is_empty(), ..self.with_cause(cause) }
    }
}

/// What is remembered of a request while the database works. Plain data.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Which route.
    pub route: RouteIndex,
    pub(super) operation: OperationIndex,
    pub(super) asked: Asked,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    List {
        page: i64,
        per_page: i64,
    },
    Get,
    Create {
        linked: Linked,
    },
    Update {
        /// Of the row.
        key: Vec<Value>,
        linked: Linked,
        /// What was given for columns that may not be changed.
        fixed: Vec<(ColumnIndex, Value)>,
        /// Whether the first statement is the UPDATE, or there is nothing to change.
        change: Change,
    },
    Delete {
        /// Of the row.
        key: Vec<Value>,
    },
    Sql {
        /// The values of all of them.
        parameters: Vec<Value>,
    },
}

/// Columns that get a value and that a foreign key may refuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Linked {
    /// Those with a reference, unless it is NULL.
    pub(super) referring: Vec<ColumnIndex>,
    /// Those that other rows may refer to.
    pub(super) referred: Vec<ColumnIndex>,
}

/// Whether an update changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Some,
    Nothing,
}
