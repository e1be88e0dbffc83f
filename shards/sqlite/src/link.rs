//! One connection to the database, set up as all of ours are: the log ahead of the file, foreign keys on, a clock that
//! ends long statements, and an authorizer that keeps a job's SQL from ending the transaction around it.

use crate::bounds::{COMPARED_BYTES_PER_LOOK, LENGTH_SPARE, LOG_KEPT_BYTES, STATEMENT_CACHE, STEPS_PER_LOOK};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// After the log has reached the disk: survives a power cut.
    #[default]
    Full,
    /// After the log was written: survives a crash of the process; a power cut may lose the last commits.
    Normal,
}

/// How to open.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) path: PathBuf,
    pub(crate) busy_timeout: Duration,
    pub(crate) sync: Sync,
    pub(crate) value_bytes_max: usize,
    pub(crate) checkpoint_frames: u32,
    pub(crate) trace: Option<fn(&str)>,
}

/// A connection with its guard.
pub(crate) struct Link {
    connection: Connection,
    guard: Arc<Guard>,
}

/// Our own statements. Prepared statements are kept by their text and asked only once whether they are allowed, so these
/// bear a mark: a job's COMMIT must not find ours.
#[derive(Clone, Copy)]
pub(crate) enum Own {
    Begin,
    BeginImmediate,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
}

macro_rules! marked {
    ($sql:literal) => {
        concat!($sql, " --the store's own")
    };
}

/// How our own statements end; a job's SQL may not.
pub(crate) const OWN_MARK: &str = marked!("");

impl Own {
    fn sql(self) -> &'static str {
        match self {
            Own::Begin => marked!("BEGIN"),
            Own::BeginImmediate => marked!("BEGIN IMMEDIATE"),
            Own::Commit => marked!("COMMIT"),
            Own::Rollback => marked!("ROLLBACK"),
            Own::Savepoint => marked!("SAVEPOINT job"),
            Own::Release => marked!("RELEASE job"),
            Own::RollbackTo => marked!("ROLLBACK TO job"),
        }
    }
}

/// What the connection's callbacks look at. All on one thread; atomics because the callbacks must be `Send`.
struct Guard {
    epoch: Instant,
    /// Microseconds after `epoch` at which the running statement ends; `u64::MAX` for never.
    until_us: AtomicU64,
    /// Whether the SQL being prepared stems from a job.
    in_job: AtomicBool,
    /// Frames in the log after the last commit.
    log_frames: AtomicU32,
    /// Commits that wrote something.
    log_commits: AtomicU64,
    /// A statement was prepared since this was last looked at.
    has_prepared: AtomicBool,
    /// Bytes that were compared since the clock was last looked at.
    compared_bytes: AtomicU64,
    /// The running statement's time was up while it sorted: what it gives is in no order.
    has_given_up: AtomicBool,
}

impl Link {
    /// The writer's: makes the file if need be.
    pub(crate) fn open_writer(opening: &Opening) -> rusqlite::Result<Link> {
        Link::open_to_write(opening, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// The writer's, of a file that was there before: an empty one in its place would look as if all was lost.
    pub(crate) fn reopen_writer(opening: &Opening) -> rusqlite::Result<Link> {
        Link::open_to_write(opening, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    fn open_to_write(opening: &Opening, flags: OpenFlags) -> rusqlite::Result<Link> {
        let mut link = Link::open(opening, flags)?;
        // SQLite settles for reading what it may not write.
        if link.connection.is_readonly("main")? {
            let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
            return Err(rusqlite::Error::SqliteFailure(error, Some("the file is read-only".into())));
        }
        set_log_ahead(&link.connection, opening.busy_timeout)?;
        let sync = match opening.sync {
            Sync::Full => "FULL",
            Sync::Normal => "NORMAL",
        };
        link.connection.pragma_update(None, "synchronous", sync)?;
        link.connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)?;
        // In place of SQLite's own checkpoints, which run inside COMMIT.
        let guard = Arc::clone(&link.guard);
        link.connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, frames: i32| {
            guard.log_frames.store(u32::try_from(frames).unwrap_or(0), Relaxed);
            guard.log_commits.fetch_add(1, Relaxed);
            Ok(())
        }))?;
        // The writer waits for others itself, so that it sees what they commit meanwhile.
        link.connection.busy_timeout(Duration::ZERO)?;
        Ok(link)
    }

    /// A reader's: can't write.
    pub(crate) fn open_reader(opening: &Opening) -> rusqlite::Result<Link> {
        let link = Link::open(opening, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        link.connection.pragma_update(None, "query_only", true)?;
        // Opens the log too, which could be gone or another's by the first query.
        link.connection.pragma_query_value(None, "schema_version", |_| Ok(()))?;
        Ok(link)
    }

    fn open(opening: &Opening, flags: OpenFlags) -> rusqlite::Result<Link> {
        let mut connection =
            Connection::open_with_flags(plain(&opening.path), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        if let Some(trace) = opening.trace {
            let note = move |event: TraceEvent<'_>| {
                if let TraceEvent::Stmt(statement, _) = event {
                    trace(&statement.sql());
                }
            };
            connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note))?;
        }
        set_up(&connection, opening.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        let bytes = i32::try_from(opening.value_bytes_max.saturating_add(LENGTH_SPARE)).unwrap_or(i32::MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, bytes)?;
        let guard = Arc::new(Guard {
            epoch: Instant::now(),
            until_us: AtomicU64::new(u64::MAX),
            in_job: AtomicBool::new(false),
            log_frames: AtomicU32::new(0),
            log_commits: AtomicU64::new(0),
            has_prepared: AtomicBool::new(false),
            compared_bytes: AtomicU64::new(0),
            has_given_up: AtomicBool::new(false),
        });
        if flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            let sorted = Arc::clone(&guard);
            crate::decimal::add_ending_collation(&connection, move |bytes| sorted.gives_up(bytes))?;
        } else {
            // What is written must not depend on the time.
            crate::decimal::add_collation(&connection)?;
        }
        let looked_at = Arc::clone(&guard);
        connection.progress_handler(STEPS_PER_LOOK, Some(move || looked_at.is_over()))?;
        let asked = Arc::clone(&guard);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            asked.has_prepared.store(true, Relaxed);
            if asked.in_job.load(Relaxed) { in_job(&context.action) } else { Authorization::Allow }
        }))?;
        Ok(Link { connection, guard })
    }

    /// Runs one of our own statements.
    pub(crate) fn own(&self, own: Own) -> rusqlite::Result<()> {
        self.connection.prepare_cached(own.sql())?.raw_execute().map(drop)
    }

    /// Runs `work` on the connection as a job's: only what a job may, and only until `until`.
    pub(crate) fn as_job<T>(&self, until: Option<Instant>, work: impl FnOnce(&Connection) -> T) -> T {
        let until_us = until.map_or(u64::MAX, |until| self.guard.us(until));
        self.guard.until_us.store(until_us, Relaxed);
        self.guard.has_given_up.store(false, Relaxed);
        self.guard.in_job.store(true, Relaxed);
        let result = work(&self.connection);
        self.guard.in_job.store(false, Relaxed);
        self.guard.until_us.store(u64::MAX, Relaxed);
        result
    }

    /// Whether no transaction is open.
    pub(crate) fn is_autocommit(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Frames in the log after this connection's last commit.
    pub(crate) fn log_frames(&self) -> u32 {
        self.guard.log_frames.load(Relaxed)
    }

    /// Commits of this connection that wrote something.
    pub(crate) fn log_commits(&self) -> u64 {
        self.guard.log_commits.load(Relaxed)
    }

    /// Whether SQLite has prepared a statement since the last call: each asks the authorizer at least once.
    pub(crate) fn take_prepared(&self) -> bool {
        self.guard.has_prepared.swap(false, Relaxed)
    }

    /// Whether the last job's statement ran out of time while it sorted.
    pub(crate) fn has_given_up(&self) -> bool {
        self.guard.has_given_up.load(Relaxed)
    }

    /// For what has no method here.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Guard {
    fn us(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_micros()).unwrap_or(u64::MAX)
    }

    /// Whether a sort that compares so many bytes more is to end.
    fn gives_up(&self, bytes: usize) -> bool {
        if self.has_given_up.load(Relaxed) {
            return true;
        }
        let compared = self.compared_bytes.load(Relaxed).saturating_add(bytes as u64);
        let is_time = compared >= COMPARED_BYTES_PER_LOOK;
        self.compared_bytes.store(if is_time { 0 } else { compared }, Relaxed);
        let gives_up = is_time && self.is_over();
        self.has_given_up.store(gives_up, Relaxed);
        gives_up
    }

    fn is_over(&self) -> bool {
        let until_us = self.until_us.load(Relaxed);
        until_us != u64::MAX && self.us(Instant::now()) >= until_us
    }
}

/// What a job's SQL may not do: end our transaction, reach another file, change the connection's settings or the schema, call a
/// function that no connection of ours allows. Full-text tables ask for a few pragmas themselves, and change no schema when rows are written.
pub(crate) fn in_job(action: &AuthAction<'_>) -> Authorization {
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateVtable { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropTempView { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropVtable { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::Analyze { .. }
        | AuthAction::Reindex { .. } => Authorization::Deny,
        AuthAction::Pragma { pragma_name, .. } => match *pragma_name {
            "data_version" | "table_info" | "table_xinfo" | "table_list" | "index_list" | "index_info"
            | "index_xinfo" | "foreign_key_list" => Authorization::Allow,
            _ => Authorization::Deny,
        },
        AuthAction::Function { function_name }
            if ["load_extension", "fts3_tokenizer"]
                .iter()
                .any(|name| name.eq_ignore_ascii_case(function_name)) =>
        {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }
}

/// What every connection gets. A double-quoted word that names no column is an error, not a string.
pub(crate) fn set_up(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(busy_timeout)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    // A schema that is there is read all the same.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Plans do not depend on bound values; else a statement with LIMIT ?1 is prepared anew for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Puts the file into WAL mode, once and for all who open it. Of several processes that try at the same time all but
/// one are told BUSY without a wait, so the wait is here.
pub(crate) fn set_log_ahead(connection: &Connection, longest: Duration) -> rusqlite::Result<()> {
    let since = Instant::now();
    loop {
        let mode =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_PROTOCOL);
                return Err(rusqlite::Error::SqliteFailure(
                    error,
                    Some(format!("journal mode stays {mode}")),
                ));
            }
            Err(error) if is_busy(&error) && since.elapsed() < longest => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether another connection holds what we need.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    let family = crate::fault::extended_code(error) & 0xff;
    matches!(family, rusqlite::ffi::SQLITE_BUSY | rusqlite::ffi::SQLITE_LOCKED)
}

/// A relative path gets a `./`, so that SQLite takes none for a URI.
pub(crate) fn plain(path: &Path) -> PathBuf {
    Path::new(".").join(path)
}
