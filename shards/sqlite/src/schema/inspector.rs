//! Questions about the rows of a file: whether there is one of a kind. A table may be large, so the time for all questions
//! together is bounded.

use super::{error_words, open_to_look};
use crate::bounds::{INSPECT_TIME_MAX, SILENT_WAIT, STEPS_PER_LOOK};
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::time::Instant;

/// Asks a file about its rows, and changes nothing.
pub struct Inspector {
    /// `None`: nothing is known of the rows.
    connection: Option<Connection>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is such a row.
    Row,
    /// There is none.
    NoRow,
    /// Time was up, or there is no file to ask.
    NotKnown,
    /// The file does not answer such a question.
    Failed {
        /// Why, in SQLite's words.
        detail: String,
    },
}

impl Inspector {
    /// Of a file, for 5 s; of one that cannot be opened nothing is known.
    pub fn open(path: &Path) -> Inspector {
        Inspector { connection: path.exists().then(|| open(path)).and_then(Result::ok) }
    }

    /// Of no file: nothing is known of its rows.
    pub fn of_nothing() -> Inspector {
        Inspector { connection: None }
    }

    /// Whether a query gives a row.
    pub fn find(&self, query: &str) -> Found {
        let Some(connection) = &self.connection else { return Found::NotKnown };
        let ask = || Ok::<_, rusqlite::Error>(connection.prepare(query)?.raw_query().next()?.is_some());
        match ask() {
            Ok(true) => Found::Row,
            Ok(false) => Found::NoRow,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Found::NotKnown
            }
            Err(error) => Found::Failed { detail: error_words(error) },
        }
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let until = Instant::now() + INSPECT_TIME_MAX;
    let mut connection = open_to_look(path, SILENT_WAIT)?;
    crate::decimal::add_collation(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.progress_handler(STEPS_PER_LOOK, Some(move || Instant::now() >= until))?;
    Ok(connection)
}
