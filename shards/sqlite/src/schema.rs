//! The schema at start-up: creating what is missing, listing what is there, and checking statements against it.

use crate::bounds::SCRIPT_WAIT;
use crate::link::{in_job, plain, set_log_ahead, set_up};
use crate::{Error, fault};
use rusqlite::hooks::{AuthAction, AuthContext};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Runs statements in one transaction that locks out other writers: all or none. Makes the file if it is missing. Processes that start
/// at the same time wait for each other, so `CREATE … IF NOT EXISTS` meets no race.
///
/// # Errors
/// The first statement's that failed; nothing was done then.
pub fn run_script(path: &Path, sql: &[String]) -> Result<(), Error> {
    let run = || {
        let connection = Connection::open(plain(path))?;
        set_up(&connection, SCRIPT_WAIT)?;
        set_log_ahead(&connection, SCRIPT_WAIT)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        // Dropped with an error, the connection rolls back.
        for statement in sql {
            connection.execute_batch(statement)?;
        }
        connection.execute_batch("COMMIT")
    };
    run().map_err(fault::error)
}

/// The names of the tables that exist, sorted; none if the file is missing.
///
/// # Errors
/// If the file can't be read as a database.
pub fn tables(path: &Path) -> Result<Vec<String>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let list = || {
        let connection = open_to_look(path)?;
        let sql =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name";
        let mut statement = connection.prepare(sql)?;
        let names = statement.query_map([], |row| row.get(0))?;
        names.collect::<rusqlite::Result<Vec<String>>>()
    };
    list().map_err(fault::error)
}

/// What SQLite says about a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Names of the result's columns; empty if it returns none.
    pub columns: Vec<String>,
    /// Whether it certainly writes nothing.
    pub readonly: bool,
    /// The parameters in order of their index, as written (`:id`, `?1`); empty text for a plain `?`.
    pub parameters: Vec<String>,
    /// Tables it reads, by triggers and views too, and views of which it reads a column; sorted.
    pub reads: Vec<String>,
    /// What it writes, by triggers and foreign keys too; sorted.
    pub writes: Vec<Write>,
}

/// A write to a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    /// The table or view.
    pub table: String,
    /// What is done to its rows.
    pub kind: WriteKind,
}

/// What a statement does to rows. A REPLACE clause deletes too, and SQLite does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WriteKind {
    /// New rows.
    Insert,
    /// Changed rows.
    Update,
    /// Fewer rows.
    Delete,
}

/// Checks statements against a schema, without running them.
pub struct Compiler {
    connection: Connection,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    reads: Vec<String>,
    writes: Vec<Write>,
}

impl Compiler {
    /// Against the schema of a file.
    ///
    /// # Errors
    /// If the file can't be read as a database.
    pub fn open(path: &Path) -> Result<Compiler, Error> {
        open_to_look(path).and_then(Compiler::new).map_err(fault::error)
    }

    /// Against a schema that these statements make, in memory.
    ///
    /// # Errors
    /// The first statement's that failed.
    pub fn in_memory(schema: &[String]) -> Result<Compiler, Error> {
        let open = || {
            let connection = Connection::open_in_memory()?;
            set_up(&connection, Duration::ZERO)?;
            for statement in schema {
                connection.execute_batch(statement)?;
            }
            Compiler::new(connection)
        };
        open().map_err(fault::error)
    }

    fn new(mut connection: Connection) -> rusqlite::Result<Compiler> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let sink = Arc::clone(&seen);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            sink.lock().unwrap_or_else(PoisonError::into_inner).note(&context.action);
            in_job(&context.action)
        }))?;
        Ok(Compiler { connection, seen })
    }

    /// Checks one statement.
    ///
    /// # Errors
    /// SQLite's words on what is wrong with it, or that it may not stand in a job.
    pub fn compile(&self, sql: &str) -> Result<Compiled, String> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
        let statement = self.connection.prepare(sql).map_err(|error| match fault::error(error) {
            Error::Statement { detail } | Error::Unavailable { detail } => detail,
            other => format!("{other:?}"),
        })?;
        let parameter = |index| statement.parameter_name(index).unwrap_or_default().to_owned();
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.reads.sort();
        seen.reads.dedup();
        seen.writes.sort();
        seen.writes.dedup();
        Ok(Compiled {
            columns: statement.column_names().map(str::to_owned).collect(),
            readonly: statement.readonly(),
            parameters: (1..=statement.parameter_count()).map(parameter).collect(),
            reads: seen.reads,
            writes: seen.writes,
        })
    }
}

impl Seen {
    fn note(&mut self, action: &AuthAction<'_>) {
        let (table, kind) = match *action {
            AuthAction::Read { table_name, .. } => {
                self.reads.push(table_name.to_owned());
                return;
            }
            AuthAction::Insert { table_name } => (table_name, WriteKind::Insert),
            AuthAction::Update { table_name, .. } => (table_name, WriteKind::Update),
            AuthAction::Delete { table_name } => (table_name, WriteKind::Delete),
            _ => return,
        };
        self.writes.push(Write { table: table.to_owned(), kind });
    }
}

/// Checks one statement against the schema of a file; for many, keep a [`Compiler`].
///
/// # Errors
/// As [`Compiler::compile`], or in words why the file can't be read.
pub fn compile(path: &Path, sql: &str) -> Result<Compiled, String> {
    Compiler::open(path).map_err(|error| format!("{error:?}"))?.compile(sql)
}

/// Without `SQLITE_OPEN_CREATE`: looking makes no file. Writable, since a read-only connection can't make the log's index.
fn open_to_look(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(plain(path), flags)?;
    set_up(&connection, SCRIPT_WAIT)?;
    Ok(connection)
}

#[cfg(all(test, not(loom)))]
#[path = "schema/tests.rs"]
mod tests;
