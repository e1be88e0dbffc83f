//! What a file holds, as SQLite tells it: tables with their columns, indexes, foreign keys and triggers. Plain data, so that
//! whoever compares it with something needs no database for it.

use super::{open_to_look, patiently};
use crate::{Error, fault};
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;
use std::time::Duration;

/// The schema of a file. SQLite's own tables are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Tables and views by name.
    pub tables: Vec<LiveTable>,
    /// Names of all indexes, also of those that SQLite made for itself.
    pub index_names: Vec<String>,
    /// The statements that make it again: tables, then indexes, views and triggers.
    pub sql: Vec<String>,
}

/// A table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTable {
    /// Its name, in the capitals of the file.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// Whether it is STRICT: each column holds its own type or nothing.
    pub strict: bool,
    /// Whether it has a row.
    pub has_rows: bool,
    /// The statement that made it.
    pub sql: String,
    /// In the table's order; hidden ones of virtual tables are left out.
    pub columns: Vec<LiveColumn>,
    /// Indexes, also those of UNIQUE and PRIMARY KEY.
    pub indexes: Vec<LiveIndex>,
    /// What it refers to.
    pub foreign_keys: Vec<LiveForeignKey>,
    /// Name and statement of each trigger.
    pub triggers: Vec<(String, String)>,
}

/// What stands behind a table's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// One with rows of its own.
    Table,
    /// Rows of other tables.
    View,
    /// Rows of a module, such as a full-text index.
    Virtual,
    /// A table that such a module keeps for itself.
    Shadow,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveColumn {
    /// Its name.
    pub name: String,
    /// The type as declared; empty if none was.
    pub declared_type: String,
    /// Whether it refuses NULL by a constraint of its own.
    pub not_null: bool,
    /// Its DEFAULT, SQL without the parentheses around an expression.
    pub default: Option<String>,
    /// Its place in the primary key, from 1; 0 if it is none of its columns.
    pub key_position: u32,
    /// How it compares with other text: `BINARY`, `NOCASE`, `RTRIM`, or one that another program knows; in the capitals of the file.
    pub collation: String,
    /// Whether it is computed from others, and so cannot be written.
    pub computed: bool,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveIndex {
    /// Its name.
    pub name: String,
    /// Whether no two rows may agree in it.
    pub unique: bool,
    /// In order; `None` is an expression.
    pub columns: Vec<Option<String>>,
    /// A partial index's condition.
    pub condition: Option<String>,
    /// The statement that made it; `None`: SQLite did, for UNIQUE or PRIMARY KEY.
    pub sql: Option<String>,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveForeignKey {
    /// Of the table that has it.
    pub columns: Vec<String>,
    /// The table it refers to.
    pub table: String,
    /// Of that table: its primary key's if the statement names none; empty if it has none.
    pub target_columns: Vec<String>,
    /// `NO ACTION`, `RESTRICT`, `CASCADE`, `SET NULL` or `SET DEFAULT`.
    pub on_delete: String,
}

impl Schema {
    /// The schema of a file, which is neither made nor changed; `None` if there is no such file.
    ///
    /// # Errors
    /// If the file can't be read as a database.
    pub fn read(path: &Path) -> Result<Option<Schema>, Error> {
        Schema::read_telling(path, &mut |_| ())
    }

    /// [`Schema::read`]; `waits` is told, once, that another process is waited for and how long at most.
    ///
    /// # Errors
    /// As [`Schema::read`].
    pub fn read_telling(path: &Path, waits: &mut dyn FnMut(Duration)) -> Result<Option<Schema>, Error> {
        if !path.exists() {
            return Ok(None);
        }
        let read = |longest| {
            let connection = open_to_look(path, longest)?;
            // All questions see one schema.
            connection.execute_batch("BEGIN")?;
            Schema::of(&connection)
        };
        patiently(waits, read).map(Some).map_err(fault::error)
    }

    /// A table or view; capitals do not count.
    pub fn table(&self, name: &str) -> Option<&LiveTable> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// What a connection sees.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Schema> {
        let mut schema = Schema::default();
        let list = "SELECT name, type, strict FROM pragma_table_list \
                    WHERE schema = 'main' AND name NOT GLOB 'sqlite_*' ORDER BY name";
        let mut statement = connection.prepare(list)?;
        let found = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?))
        })?;
        for entry in found.collect::<rusqlite::Result<Vec<_>>>()? {
            schema.tables.push(table(connection, entry)?);
        }
        let mut statement =
            connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name")?;
        schema.index_names =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*' \
                   ORDER BY instr('tivt', substr(type, 1, 1)) + (type = 'trigger') * 9, rowid";
        let mut statement = connection.prepare(sql)?;
        schema.sql = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(schema)
    }
}

fn table(
    connection: &Connection,
    (name, kind, strict): (String, String, bool),
) -> rusqlite::Result<LiveTable> {
    let kind = match kind.as_str() {
        "view" => TableKind::View,
        "virtual" => TableKind::Virtual,
        "shadow" => TableKind::Shadow,
        _ => TableKind::Table,
    };
    let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1 AND type IN ('table', 'view')";
    let sql: Option<String> = connection.query_row(sql, [&name], |row| row.get(0)).optional()?.flatten();
    let has_rows = match kind {
        TableKind::Table => {
            let quoted = name.replace('"', "\"\"");
            let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{quoted}\")");
            connection.query_row(&sql, [], |row| row.get(0))?
        }
        TableKind::View | TableKind::Virtual | TableKind::Shadow => false,
    };
    let columns = match (columns(connection, &name, kind), kind) {
        // A view of a table that is gone has none.
        (Err(_), TableKind::View) => Vec::new(),
        (columns, _) => columns?,
    };
    Ok(LiveTable {
        columns,
        indexes: indexes(connection, &name)?,
        foreign_keys: foreign_keys(connection, &name)?,
        triggers: triggers(connection, &name)?,
        sql: sql.unwrap_or_default(),
        name,
        kind,
        strict,
        has_rows,
    })
}

fn columns(connection: &Connection, table: &str, kind: TableKind) -> rusqlite::Result<Vec<LiveColumn>> {
    // hidden: 1 is hidden, 2 and 3 are computed.
    let sql = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) \
               WHERE hidden <> 1 ORDER BY cid";
    let mut statement = connection.prepare(sql)?;
    let columns = statement.query_map([table], |row| {
        Ok(LiveColumn {
            name: row.get(0)?,
            declared_type: row.get(1)?,
            not_null: row.get(2)?,
            default: row.get(3)?,
            key_position: row.get(4)?,
            collation: "BINARY".to_owned(),
            computed: row.get::<_, i64>(5)? != 0,
        })
    })?;
    let mut columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
    for column in columns.iter_mut().filter(|_| kind == TableKind::Table) {
        let (_, collation, ..) = connection.column_metadata(Some("main"), table, &column.name)?;
        if let Some(collation) = collation {
            column.collation = collation.to_string_lossy().into_owned();
        }
    }
    Ok(columns)
}

fn indexes(connection: &Connection, table: &str) -> rusqlite::Result<Vec<LiveIndex>> {
    let mut statement =
        connection.prepare("SELECT name, \"unique\", partial FROM pragma_index_list(?1) ORDER BY name")?;
    let found = statement.query_map([table], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, bool>(2)?))
    })?;
    let mut indexes = Vec::new();
    for (name, unique, partial) in found.collect::<rusqlite::Result<Vec<_>>>()? {
        let sql = "SELECT iif(cid = -2, NULL, coalesce(name, 'rowid')) FROM pragma_index_xinfo(?1) \
                   WHERE key ORDER BY seqno";
        let mut columns = connection.prepare(sql)?;
        let columns = columns.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1 AND type = 'index'";
        let sql: Option<String> = connection.query_row(sql, [&name], |row| row.get(0)).optional()?.flatten();
        let condition = sql.as_deref().filter(|_| partial).map(condition);
        indexes.push(LiveIndex { name, unique, columns, condition, sql });
    }
    Ok(indexes)
}

/// What stands behind WHERE: in front of it there are names and expressions in parentheses.
fn condition(sql: &str) -> String {
    let upper = sql.to_ascii_uppercase();
    let words = upper.match_indices("WHERE").map(|(at, _)| at);
    let is_apart = |at: &usize| {
        upper[..*at].ends_with([' ', '\n', '\t', ')']) && upper[at + 5..].starts_with([' ', '\n', '\t', '('])
    };
    let at = words.into_iter().find(is_apart).map_or(sql.len(), |at| at + 5);
    sql[at..].trim().to_owned()
}

fn foreign_keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<LiveForeignKey>> {
    let sql =
        "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([table])?;
    let mut keys: Vec<(i64, LiveForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let key = LiveForeignKey {
                columns: Vec::new(),
                table: row.get(1)?,
                target_columns: Vec::new(),
                on_delete: row.get(4)?,
            };
            keys.push((id, key));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(row.get(2)?);
            key.target_columns.extend(row.get::<_, Option<String>>(3)?);
        }
    }
    let mut keys: Vec<_> = keys.into_iter().map(|(_, key)| key).collect();
    for key in keys.iter_mut().filter(|key| key.target_columns.is_empty()) {
        let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
        let mut statement = connection.prepare(sql)?;
        key.target_columns =
            statement.query_map([&key.table], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    }
    Ok(keys)
}

fn triggers(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE \
               ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
