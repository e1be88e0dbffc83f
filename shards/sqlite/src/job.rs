//! A job and its reply: plain data that crosses threads.

use crate::Value;
use crate::bounds::HELD_BYTES_MIN;
use std::sync::Arc;
use std::time::Duration;

/// One statement with its parameters, bound by position (`?1`, `?2`, …). `sql` is shared, since it stems from the plan;
/// it is prepared once per thread and kept.
#[derive(Clone, Debug)]
pub struct Statement {
    /// One SQL statement.
    pub sql: Arc<str>,
    /// Its parameters in order.
    pub parameters: Vec<Value>,
}

/// Who runs a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Reads of single rows by key: one reader is kept for these.
    ReadByKey,
    /// Any other read.
    Read,
    /// The writer.
    Write,
}

/// Statements that run in order in one transaction (reads: one snapshot; writes: one savepoint in the group's
/// transaction). If one fails the job is rolled back and its reply is that error.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which thread.
    pub class: Class,
    /// In order. At most [`crate::STATEMENTS_MAX`].
    pub statements: Vec<Statement>,
    /// How long each of them may run; `None`: as long as [`crate::Options::statement_timeout`] says.
    pub statement_timeout: Option<Duration>,
    /// How many columns the result of each of them has to have; `None`: any number. A statement that returns `*` gets more
    /// when its table does.
    pub result_columns: Option<usize>,
}

impl Job {
    /// With the store's own timeout and results of any number of columns.
    pub fn new(class: Class, statements: Vec<Statement>) -> Job {
        Job { class, statements, statement_timeout: None, result_columns: None }
    }
}

/// What the asker calls its job: returned with the reply, opaque here.
pub type Ticket = u64;

/// The rows of one statement, flat: cell `c` of row `r` is `cells[r * columns + c]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Columns of the result; 0 for a statement that returns none.
    pub columns: usize,
    /// Row after row.
    pub cells: Vec<Value>,
    /// Rows that the statement inserted, updated or deleted.
    pub changed: usize,
}

impl Rows {
    /// Memory of its cells, bytes.
    pub fn bytes(&self) -> usize {
        let payload = |cell: &Value| match cell {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            Value::Null | Value::Integer(_) | Value::Real(_) => 0,
        };
        self.cells.len() * size_of::<Value>() + self.cells.iter().map(payload).sum::<usize>()
    }
}

/// Bytes of a reply as far as they count among [`crate::Options::held_bytes_max`]: a small reply counts nothing.
pub fn held_bytes(reply: &Reply) -> usize {
    let bytes: usize = reply.iter().flatten().map(Rows::bytes).sum();
    if bytes < HELD_BYTES_MIN { 0 } else { bytes }
}

/// One `Rows` for each statement of the job, in order.
pub type Reply = Result<Vec<Rows>, Error>;

/// Why a job failed. What the client may see of it is decided elsewhere; `detail` is for the log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A unique or primary-key constraint; columns as `table.column`.
    Unique {
        /// Empty if the index is on an expression.
        columns: Vec<String>,
    },
    /// A foreign key.
    ForeignKey,
    /// NOT NULL; the column as `table.column`.
    NotNull {
        /// `table.column`.
        column: String,
    },
    /// CHECK or another constraint; SQLite's words.
    Constraint {
        /// For the log.
        detail: String,
    },
    /// A trigger refused it with RAISE; nothing was done.
    Raised {
        /// The words that its author wrote.
        text: String,
    },
    /// No thread was free until its `begin_by`; nothing was done.
    NotBegun,
    /// It ran longer than its `statement_timeout`; nothing was done.
    Timeout,
    /// The result was larger than `reply_bytes_max`; nothing was done.
    TooLarge,
    /// A statement with parameters met, or made of them, a value longer than `reply_bytes_max`; nothing was done.
    ValueTooLarge,
    /// A sound statement can't be run with these parameters: malformed JSON or a malformed full-text query in them, a
    /// number that overflows, text where SQLite needs an integer. Nothing was done.
    Value {
        /// For the log.
        detail: String,
    },
    /// TEXT in a result is no UTF-8: made so of a parameter, or stored so through SQL; nothing was done.
    NotText {
        /// For the log.
        detail: String,
    },
    /// A result has not as many columns as [`Job::result_columns`] says, since a table was changed; nothing was done.
    ResultColumns,
    /// So many large replies are on their way to slow clients that this one has no room; nothing was done.
    Crowded,
    /// The store can't serve at the moment (busy, full disk, read-only file, I/O error); nothing was done.
    Unavailable {
        /// For the log.
        detail: String,
    },
    /// The file is damaged where the job looked, or no database at all; nothing was done.
    Damaged {
        /// For the log.
        detail: String,
    },
    /// A write of which it is not known whether it was committed.
    OutcomeUnknown {
        /// For the log.
        detail: String,
    },
    /// The statement itself is at fault (a syntax error, a missing table).
    Statement {
        /// For the log.
        detail: String,
    },
}

/// Where replies go. Each thread of the store owns one, made on that thread's behalf by the caller; it must not block.
pub trait Answers: Send + 'static {
    /// Hands `reply` to the shard `shard` that submitted the job `ticket`.
    fn answer(&mut self, shard: usize, ticket: Ticket, reply: Reply);

    /// Hears what the thread noticed beside its jobs. Must not block either.
    fn observe(&mut self, event: Event) {
        let _ = event;
    }
}

/// What a thread of the store noticed beside its jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Someone else has written to the file, or the writer's connection is new and can't tell: what was read before may be
    /// out of date. From the writer's thread, within about 50 ms of the foreign commit while nothing is written here, and
    /// always before the answers of a write whose transaction follows that commit.
    ForeignWrite,
    /// The thread panicked in a job, has answered it, and goes on with a new connection.
    Panicked {
        /// The panic's words.
        detail: String,
    },
    /// Jobs fail because of the database's file, not their own. At most once in [`crate::TROUBLE_INTERVAL`] from each thread;
    /// [`Event::Available`] follows once one succeeds.
    Unavailable {
        /// SQLite's words and what to do.
        detail: String,
        /// Jobs answered so since the last such event.
        jobs: u64,
    },
    /// The thread serves again.
    Available,
    /// The log could not be copied into the database. Nothing is lost; the log grows meanwhile.
    CheckpointFailed {
        /// SQLite's words.
        detail: String,
    },
}
