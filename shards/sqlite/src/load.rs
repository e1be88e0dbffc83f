//! Fast loading of many rows, for start-up and tools. Not through the store: it has its own connection.

use crate::bounds::{LOAD_CACHE_KIB, LOAD_CHECKPOINT_FRAMES};
use crate::link::{Sync, set_log_ahead, set_up};
use crate::run::Bound;
use crate::{Error, Value, fault};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// Runs one statement, usually an INSERT, for many rows; commits every so many. Dropped without
/// [`finish`](Loader::finish), it undoes the rows after the last commit.
pub struct Loader {
    connection: Connection,
    sql: String,
    rows_per_transaction: usize,
    rows_open: usize,
    changed: u64,
}

impl Loader {
    /// `busy_timeout` is how long it waits for another process that writes.
    ///
    /// # Errors
    /// If the file can't be opened or the statement is at fault.
    pub fn open(
        path: &Path,
        sql: &str,
        rows_per_transaction: usize,
        busy_timeout: Duration,
        sync: Sync,
    ) -> Result<Loader, Error> {
        let open = || {
            let connection = Connection::open(crate::link::plain(path))?;
            set_up(&connection, busy_timeout)?;
            set_log_ahead(&connection, busy_timeout)?;
            let sync = match sync {
                Sync::Full => "FULL",
                Sync::Normal => "NORMAL",
            };
            connection.pragma_update(None, "synchronous", sync)?;
            // Rows with random unique values touch index pages all over: kept in memory, they are written once a checkpoint.
            connection.pragma_update(None, "cache_size", -LOAD_CACHE_KIB)?;
            connection.pragma_update(None, "wal_autocheckpoint", LOAD_CHECKPOINT_FRAMES)?;
            connection.prepare_cached(sql).map(drop)?;
            Ok(connection)
        };
        Ok(Loader {
            connection: open().map_err(fault::error)?,
            sql: sql.to_owned(),
            rows_per_transaction: rows_per_transaction.max(1),
            rows_open: 0,
            changed: 0,
        })
    }

    /// Runs the statement with `row` as its parameters. Says how many rows it changed: 0 if `ON CONFLICT DO NOTHING` applied.
    ///
    /// # Errors
    /// As a job's; the row alone is undone, the loader may go on.
    pub fn push(&mut self, row: &[Value]) -> Result<usize, Error> {
        let changed = self.insert(row).map_err(fault::error)?;
        self.changed += changed as u64;
        self.rows_open += 1;
        if self.rows_open == self.rows_per_transaction {
            self.commit()?;
        }
        Ok(changed)
    }

    /// Commits the rest. Says how many rows were changed in all.
    ///
    /// # Errors
    /// If the commit fails.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.commit()?;
        Ok(self.changed)
    }

    fn insert(&self, row: &[Value]) -> rusqlite::Result<usize> {
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        let mut statement = self.connection.prepare_cached(&self.sql)?;
        statement.execute(rusqlite::params_from_iter(row.iter().map(Bound)))
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.rows_open = 0;
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("COMMIT").map_err(fault::error)
    }
}

#[cfg(all(test, not(loom)))]
#[path = "load/tests.rs"]
mod tests;
