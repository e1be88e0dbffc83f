//! Runs a job's statements on a connection and collects their rows.

use crate::link::{Link, OWN_MARK};
use crate::statistics::{Counters, add};
use crate::{Error, Job, Rows, Statement, Value, fault};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use std::time::{Duration, Instant};

/// What a job's statements may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The bounds of a job that names none of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) access: Access,
    pub(crate) statement_timeout: Duration,
    pub(crate) reply_bytes_max: usize,
}

/// Runs the job's statements in order; the transaction around them is the caller's.
pub(crate) fn statements(
    link: &Link,
    bounds: Bounds,
    job: &Job,
    counters: &Counters,
) -> Result<Vec<Rows>, Error> {
    let statements = &job.statements;
    if statements.len() > crate::STATEMENTS_MAX {
        return Err(Error::Statement { detail: format!("more than {} statements", crate::STATEMENTS_MAX) });
    }
    let timeout = job.statement_timeout.unwrap_or(bounds.statement_timeout);
    let mut bytes_left = bounds.reply_bytes_max;
    let mut replies = Vec::with_capacity(statements.len());
    for statement in statements {
        let until = Instant::now() + timeout;
        link.take_prepared();
        let rows = link.as_job(Some(until), |connection| {
            one(connection, bounds, statement, job.result_columns, &mut bytes_left)
        });
        if link.take_prepared() {
            add(&counters.prepared, 1);
        }
        if link.has_given_up() {
            return Err(Error::Timeout);
        }
        replies.push(rows?);
    }
    Ok(replies)
}

fn one(
    connection: &rusqlite::Connection,
    bounds: Bounds,
    statement: &Statement,
    result_columns: Option<usize>,
    bytes_left: &mut usize,
) -> Result<Rows, Error> {
    #[cfg(test)]
    if &*statement.sql == "panic" {
        panic!("asked for by a test");
    }
    if statement.sql.trim_end().ends_with(OWN_MARK) {
        return Err(Error::Statement {
            detail: "a comment that only the store's own statements bear".into(),
        });
    }
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(fault::error)?;
    let writes = !prepared.readonly();
    if writes && bounds.access == Access::Read {
        return Err(Error::Statement { detail: "a statement that writes, in a job that reads".into() });
    }
    let changes_before = connection.total_changes();
    let mut reply = Rows { columns: prepared.column_count(), ..Rows::default() };
    let parameters = rusqlite::params_from_iter(statement.parameters.iter().map(Bound));
    let mut rows = prepared.query(parameters).map_err(fault::of_step)?;
    let refused = |error| refused(connection, statement, error);
    while let Some(row) = rows.next().map_err(refused)? {
        if reply.cells.is_empty() {
            // The schema may have changed since it was prepared; with its first row it is up to date.
            reply.columns = row.as_ref().column_count();
            if result_columns.is_some_and(|columns| columns != reply.columns) {
                return Err(Error::ResultColumns);
            }
        }
        for column in 0..reply.columns {
            let cell = row.get_ref(column).map_err(fault::error)?;
            let bytes = size_of::<Value>() + payload_bytes(cell);
            if bytes > bounds.reply_bytes_max && !statement.parameters.is_empty() {
                return Err(Error::ValueTooLarge);
            }
            *bytes_left = bytes_left.checked_sub(bytes).ok_or(Error::TooLarge)?;
            reply.cells.push(value(cell, column)?);
        }
    }
    drop(rows);
    // `changes` keeps the figure of an earlier statement if this one is no INSERT, UPDATE or DELETE.
    if writes && connection.total_changes() != changes_before {
        reply.changed = usize::try_from(connection.changes()).unwrap_or(usize::MAX);
    }
    Ok(reply)
}

/// Why a step failed. The schema may have changed under a kept statement, which SQLite then prepares anew within the step:
/// whether that is what failed, and not a value, shows in preparing it once more. A constraint needs no such look.
#[cold]
fn refused(connection: &rusqlite::Connection, statement: &Statement, error: rusqlite::Error) -> Error {
    if fault::is_full(&error)
        && let Some(table) = used_up(connection)
    {
        return Error::Statement { detail: format!("the numbers of the table {table} {USED_UP}") };
    }
    let may_be_a_value = fault::may_be_a_value(&error) && !statement.parameters.is_empty();
    if !may_be_a_value || connection.prepare(&statement.sql).is_err() {
        return fault::error(error);
    }
    fault::of_step(error)
}

/// A table whose AUTOINCREMENT has no further number, for which SQLite has the code of a full disk. A disk that is full refuses the
/// commit as a rule, where this is not asked.
#[cold]
fn used_up(connection: &rusqlite::Connection) -> Option<String> {
    let sql = "SELECT name FROM sqlite_sequence WHERE seq = ?1";
    connection.query_row(sql, [i64::MAX], |row| row.get(0)).ok()
}

const USED_UP: &str = "are used up: its last id is 9223372036854775807, beyond which AUTOINCREMENT has none; \
    make the table anew, or lower its seq in sqlite_sequence if the highest ids are gone";

fn payload_bytes(cell: ValueRef<'_>) -> usize {
    match cell {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
    }
}

/// TEXT that is no UTF-8 is refused: changing it silently would be worse. Functions of SQL make it, such as `char(55296)`.
fn value(cell: ValueRef<'_>, column: usize) -> Result<Value, Error> {
    Ok(match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Integer(n),
        ValueRef::Real(x) => Value::Real(x),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => {
                return Err(Error::NotText { detail: format!("the text in column {column} is no UTF-8") });
            }
        },
    })
}

/// A value as rusqlite binds it: by reference.
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(n) => ValueRef::Integer(*n),
            Value::Real(x) => ValueRef::Real(*x),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
