//! The schema at start-up: creating what is missing, listing what is there, and checking statements against it.

use crate::bounds::{SCRIPT_WAIT, SILENT_WAIT};
use crate::link::{in_job, is_busy, plain, set_log_ahead, set_up};
use crate::{Error, fault};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

mod inspector;
mod live;

pub use inspector::{Found, Inspector};
pub use live::{LiveColumn, LiveForeignKey, LiveIndex, LiveTable, Schema, TableKind};

/// Runs statements in one transaction that locks out other writers: all or none. Makes the file if it is missing. Processes that start
/// at the same time wait for each other, so `CREATE … IF NOT EXISTS` meets no race.
///
/// # Errors
/// The first statement's that failed; nothing was done then.
pub fn run_script(path: &Path, sql: &[String]) -> Result<(), Error> {
    run_script_telling(path, sql, &mut |_| ())
}

/// [`run_script`]; `waits` is told, once, that another process is waited for and how long at most.
///
/// # Errors
/// As [`run_script`].
pub fn run_script_telling(path: &Path, sql: &[String], waits: &mut dyn FnMut(Duration)) -> Result<(), Error> {
    let mut run = || {
        let connection = open_to_change(path, waits)?;
        // Dropped with an error, the connection rolls back.
        for statement in sql {
            connection.execute_batch(statement)?;
        }
        connection.execute_batch("COMMIT")
    };
    run().map_err(fault::error)
}

/// Opens a file, and makes it if need be, in a transaction that locks out other writers.
fn open_to_change(path: &Path, waits: &mut dyn FnMut(Duration)) -> rusqlite::Result<Connection> {
    let connection = Connection::open(plain(path))?;
    patiently(waits, |longest| {
        let until = Instant::now() + longest;
        set_up(&connection, longest)?;
        set_log_ahead(&connection, longest)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.busy_timeout(until.saturating_duration_since(Instant::now()))?;
        connection.execute_batch("BEGIN IMMEDIATE")
    })?;
    Ok(connection)
}

/// Does something that may have to wait for another process, for [`SCRIPT_WAIT`] in all; it is given how long at most, and done
/// again if that was not enough.
fn patiently<T>(
    waits: &mut dyn FnMut(Duration),
    mut work: impl FnMut(Duration) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    match work(SILENT_WAIT) {
        Err(error) if is_busy(&error) => {
            let longest = SCRIPT_WAIT.saturating_sub(SILENT_WAIT);
            waits(longest);
            work(longest)
        }
        done => done,
    }
}

/// What [`change_schema`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// What was run, in order.
    pub statements: Vec<String>,
    /// The schema after that.
    pub schema: Schema,
}

/// Why [`change_schema`] did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError<E> {
    /// `plan` refused.
    Refused(E),
    /// A statement failed; the rows that are there may contradict it.
    Statement {
        /// Which.
        statement: String,
        /// Why, in SQLite's words.
        detail: String,
    },
    /// Not a statement's fault.
    Database(Error),
}

/// Changes the schema in one transaction that locks out other writers: `plan` gets the schema as it is then and says what to run, all
/// of it or nothing. Makes the file if it is missing and something is to be run. `waits` is told, once, that another process is
/// waited for and how long at most.
///
/// # Errors
/// As [`ChangeError`] says; nothing was done then.
pub fn change_schema<E>(
    path: &Path,
    waits: &mut dyn FnMut(Duration),
    plan: impl FnOnce(&Schema) -> Result<Vec<String>, E>,
) -> Result<Changed, ChangeError<E>> {
    let database = |error| ChangeError::Database(fault::error(error));
    // Dropped with an error, the connection rolls back.
    let connection = open_to_change(path, waits).map_err(database)?;
    let schema = Schema::of(&connection).map_err(database)?;
    let statements = plan(&schema).map_err(ChangeError::Refused)?;
    for statement in &statements {
        connection.execute_batch(statement).map_err(|error| ChangeError::Statement {
            statement: statement.clone(),
            detail: error_words(error),
        })?;
    }
    let schema = Schema::of(&connection).map_err(database)?;
    connection.execute_batch("COMMIT").map_err(database)?;
    Ok(Changed { statements, schema })
}

/// SQLite's words, without the number of the code.
fn error_words(error: rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        other => other.to_string(),
    }
}

/// The names of the tables and views that exist, sorted; none if the file is missing.
///
/// # Errors
/// If the file can't be read as a database.
pub fn tables(path: &Path) -> Result<Vec<String>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let list = || {
        let connection = open_to_look(path, SCRIPT_WAIT)?;
        let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*' ORDER BY name";
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
    /// What it sets in rows that are there, triggers left out: table and column; sorted.
    pub sets: Vec<(String, String)>,
    /// Tables and views that it writes itself, triggers left out; sorted.
    pub targets: Vec<String>,
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
    /// Whether the schema is being changed, for which SQLite does more than a job may.
    is_change: bool,
    reads: Vec<String>,
    writes: Vec<Write>,
    sets: Vec<(String, String)>,
    targets: Vec<String>,
}

impl Compiler {
    /// Against the schema of a file.
    ///
    /// # Errors
    /// If the file can't be read as a database.
    pub fn open(path: &Path) -> Result<Compiler, Error> {
        open_to_look(path, SCRIPT_WAIT).and_then(Compiler::new).map_err(fault::error)
    }

    /// Against a schema that these statements make, in memory; they may be another program's, as in [`repeat`](Compiler::repeat).
    ///
    /// # Errors
    /// The first statement's that failed.
    pub fn in_memory(schema: &[String]) -> Result<Compiler, Error> {
        let open = || {
            let connection = Connection::open_in_memory()?;
            for statement in schema {
                connection.execute_batch(statement)?;
            }
            set_up(&connection, Duration::ZERO)?;
            Compiler::new(connection)
        };
        open().map_err(fault::error)
    }

    /// Against a copy of a schema, in memory and without rows. What SQLite does not make again, such as the tables that
    /// a full-text index makes for itself, is there already or missed by the statements that need it.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn copy_of(schema: &Schema) -> Result<Compiler, Error> {
        let open = || {
            let connection = Connection::open_in_memory()?;
            for statement in &schema.sql {
                let _ = connection.execute_batch(statement);
            }
            set_up(&connection, Duration::ZERO)?;
            Compiler::new(connection)
        };
        open().map_err(fault::error)
    }

    /// Changes the schema that statements are checked against; for one in memory only.
    ///
    /// # Errors
    /// SQLite's words.
    pub fn change(&self, sql: &str) -> Result<(), String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_change = true;
        let changed = self.connection.execute_batch(sql);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_change = false;
        changed.map_err(error_words)
    }

    /// Runs a statement of a schema that is there. What made it may have taken a double-quoted word that names no column for a
    /// string, which in [`change`](Compiler::change) is an error.
    ///
    /// # Errors
    /// SQLite's words.
    pub fn repeat(&self, sql: &str) -> Result<(), String> {
        let takes_strings = |takes| {
            self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, takes).map_err(error_words)
        };
        takes_strings(true)?;
        let repeated = self.change(sql);
        takes_strings(false)?;
        repeated
    }

    /// Whether a query gives a row; for a schema in memory, whose rows [`change`](Compiler::change) makes.
    ///
    /// # Errors
    /// SQLite's words.
    pub fn gives_row(&self, sql: &str) -> Result<bool, String> {
        let ask = || Ok(self.connection.prepare(sql)?.raw_query().next()?.is_some());
        ask().map_err(error_words)
    }

    /// What EXPLAIN QUERY PLAN says about a statement, a step a line.
    ///
    /// # Errors
    /// SQLite's words on what is wrong with it.
    pub fn query_plan(&self, sql: &str) -> Result<Vec<String>, String> {
        let steps = || {
            let mut statement = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let mut steps = Vec::new();
            // Parameters stay unbound: the plan is made without them.
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                steps.push(row.get::<_, String>(3)?);
            }
            Ok(steps)
        };
        steps().map_err(error_words)
    }

    fn new(mut connection: Connection) -> rusqlite::Result<Compiler> {
        crate::decimal::add_collation(&connection)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let sink = Arc::clone(&seen);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.is_change {
                return Authorization::Allow;
            }
            seen.note(&context);
            in_job(&context.action)
        }))?;
        Ok(Compiler { connection, seen })
    }

    /// Checks one statement.
    ///
    /// # Errors
    /// SQLite's words on what is wrong with it, or that it may not stand in a job.
    pub fn compile(&self, sql: &str) -> Result<Compiled, String> {
        self.compile_telling_where(sql).map_err(|(words, _)| words)
    }

    /// [`compile`](Compiler::compile).
    ///
    /// # Errors
    /// SQLite's words, and the byte of the statement that they are about, if SQLite says so.
    pub fn compile_telling_where(&self, sql: &str) -> Result<Compiled, (String, Option<usize>)> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
        let statement = self.connection.prepare(sql).map_err(|error| {
            let offset = match &error {
                rusqlite::Error::SqlInputError { offset, .. } => usize::try_from(*offset).ok(),
                _ => None,
            };
            let words = match fault::error(error) {
                Error::Statement { detail } | Error::Unavailable { detail } => detail,
                other => format!("{other:?}"),
            };
            (words, offset)
        })?;
        let parameter = |index| statement.parameter_name(index).unwrap_or_default().to_owned();
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.reads.sort();
        seen.reads.dedup();
        // SQLite tells of a subquery in WITH too, of which no column is read.
        seen.reads.retain(|name| self.is_known(name));
        seen.writes.sort();
        seen.writes.dedup();
        seen.sets.sort();
        seen.sets.dedup();
        seen.targets.sort();
        seen.targets.dedup();
        Ok(Compiled {
            columns: statement.column_names().map(str::to_owned).collect(),
            readonly: statement.readonly(),
            parameters: (1..=statement.parameter_count()).map(parameter).collect(),
            reads: seen.reads,
            writes: seen.writes,
            sets: seen.sets,
            targets: seen.targets,
        })
    }
}

impl Compiler {
    /// Whether a name is that of a table, view or module.
    fn is_known(&self, name: &str) -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE) \
                   OR EXISTS (SELECT 1 FROM pragma_module_list WHERE name = ?1 COLLATE NOCASE) \
                   OR ?1 LIKE 'sqlite\\_%' ESCAPE '\\'";
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_change = true;
        let known = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut known| known.query_row([name], |row| row.get(0)));
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_change = false;
        known.unwrap_or(true)
    }
}

impl Seen {
    fn note(&mut self, context: &AuthContext<'_>) {
        if let (AuthAction::Update { table_name, column_name }, None) = (context.action, context.accessor) {
            self.sets.push((table_name.to_owned(), column_name.to_owned()));
        }
        let (table, kind) = match context.action {
            AuthAction::Read { table_name, .. } => {
                self.reads.push(table_name.to_owned());
                return;
            }
            AuthAction::Insert { table_name } => (table_name, WriteKind::Insert),
            AuthAction::Update { table_name, .. } => (table_name, WriteKind::Update),
            AuthAction::Delete { table_name } => (table_name, WriteKind::Delete),
            _ => return,
        };
        if context.accessor.is_none() {
            self.targets.push(table.to_owned());
        }
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
fn open_to_look(path: &Path, longest: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(plain(path), flags)?;
    set_up(&connection, longest)?;
    Ok(connection)
}

#[cfg(all(test, not(loom)))]
#[path = "schema/tests.rs"]
mod tests;
