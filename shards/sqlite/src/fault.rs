//! SQLite's result codes → [`Error`]. One table, so that each code is judged once.

use crate::Error;
use rusqlite::ffi;

/// What a failed call means for the job.
#[cold]
pub(crate) fn error(error: rusqlite::Error) -> Error {
    use rusqlite::Error as E;
    match error {
        E::SqliteFailure(code, message) => by_code(code.extended_code, message.unwrap_or_default()),
        E::SqlInputError { error, msg, .. } => by_code(error.extended_code, msg),
        E::Empty => Error::Statement { detail: "no statement in it".into() },
        E::MultipleStatement => Error::Statement { detail: "more than one statement".into() },
        other => Error::Statement { detail: other.to_string() },
    }
}

/// What it means that values could not be bound to a sound statement, or that it failed with them: SQLite has one code for all that a
/// function, an operator or a virtual table refuses, and what it refused then was a value.
#[cold]
pub(crate) fn of_step(error: rusqlite::Error) -> Error {
    let family = extended_code(&error) & 0xff;
    match self::error(error) {
        Error::Statement { detail } if matches!(family, ffi::SQLITE_ERROR | ffi::SQLITE_MISMATCH) => {
            Error::Value { detail }
        }
        Error::TooLarge => Error::ValueTooLarge,
        other => other,
    }
}

/// Whether a step may have failed because of a value: [`of_step`] judges these otherwise than [`error`] does.
pub(crate) fn may_be_a_value(error: &rusqlite::Error) -> bool {
    let family = extended_code(error) & 0xff;
    matches!(family, ffi::SQLITE_ERROR | ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG)
}

/// Whether something has no room left: the disk, or the numbers of a table.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    extended_code(error) & 0xff == ffi::SQLITE_FULL
}

impl Error {
    /// Whether the database's file is at fault, rather than the job.
    pub(crate) fn is_of_the_file(&self) -> bool {
        matches!(self, Error::Unavailable { .. } | Error::Damaged { .. } | Error::OutcomeUnknown { .. })
    }

    /// Its words for the log.
    pub fn detail(&self) -> String {
        match self {
            Error::Unavailable { detail }
            | Error::Damaged { detail }
            | Error::Statement { detail }
            | Error::Value { detail }
            | Error::NotText { detail }
            | Error::Constraint { detail }
            | Error::Raised { text: detail }
            | Error::OutcomeUnknown { detail } => detail.clone(),
            other => format!("{other:?}"),
        }
    }
}

/// The extended code of an error, 0 if it doesn't stem from SQLite.
pub(crate) fn extended_code(error: &rusqlite::Error) -> i32 {
    error.sqlite_error().map_or(0, |error| error.extended_code)
}

fn by_code(extended_code: i32, message: String) -> Error {
    // The low byte is the family.
    match extended_code & 0xff {
        ffi::SQLITE_CONSTRAINT => constraint(extended_code, message),
        ffi::SQLITE_INTERRUPT => Error::Timeout,
        ffi::SQLITE_TOOBIG => Error::TooLarge,
        ffi::SQLITE_AUTH => {
            Error::Statement { detail: format!("the statement does more than read or write rows: {message}") }
        }
        ffi::SQLITE_CORRUPT => Error::Damaged {
            detail: format!(
                "{message} (code {extended_code}): the file is damaged; restore a backup or try sqlite3's .recover"
            ),
        },
        ffi::SQLITE_NOTADB => Error::Damaged {
            detail: format!(
                "{message} (code {extended_code}): the file is no SQLite database; give another path or restore a backup"
            ),
        },
        family => match remedy(family, extended_code) {
            Some(remedy) => {
                Error::Unavailable { detail: format!("{message} (code {extended_code}): {remedy}") }
            }
            None => Error::Statement { detail: message },
        },
    }
}

fn constraint(extended_code: i32, message: String) -> Error {
    match extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            // A unique index on an expression says "index 'name'": no column to name.
            let columns = match message.strip_prefix("UNIQUE constraint failed: ") {
                Some(columns) if !columns.starts_with("index '") => {
                    columns.split(", ").map(str::to_owned).collect()
                }
                _ => Vec::new(),
            };
            Error::Unique { columns }
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Error::ForeignKey,
        // ON DELETE RESTRICT is a trigger inside SQLite.
        ffi::SQLITE_CONSTRAINT_TRIGGER if message == "FOREIGN KEY constraint failed" => Error::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => {
            let column = message.strip_prefix("NOT NULL constraint failed: ").unwrap_or_default();
            Error::NotNull { column: column.to_owned() }
        }
        ffi::SQLITE_CONSTRAINT_TRIGGER => Error::Raised { text: message },
        _ => Error::Constraint { detail: message },
    }
}

/// For codes that are no fault of the statement: what the operator can do.
fn remedy(family: i32, extended_code: i32) -> Option<&'static str> {
    Some(match family {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            "another process holds the database; end it or its transaction, or wait longer"
        }
        ffi::SQLITE_FULL => "the disk is full; free some space",
        _ if extended_code == ffi::SQLITE_IOERR_WRITE => {
            "the disk refused a write; look for a quota, a limit of file sizes (ulimit -f) and into the kernel's log"
        }
        ffi::SQLITE_IOERR => "the disk failed; look into the kernel's log",
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM => {
            "the file or its directory can't be written; mend owner and permissions"
        }
        ffi::SQLITE_CANTOPEN => "the file can't be opened; does its directory exist, and may we enter it?",
        ffi::SQLITE_NOMEM => "out of memory; give the process more",
        ffi::SQLITE_PROTOCOL | ffi::SQLITE_NOLFS => {
            "the file system lacks the locks that a write-ahead log needs; use a local disk"
        }
        _ => return None,
    })
}

#[cfg(all(test, not(loom)))]
#[path = "fault/tests.rs"]
mod tests;
