//! How to make a table anew with its rows: SQLite drops no constraint of a table that is there
//! (<https://www.sqlite.org/lang_altertable.html#otheralter>).

use crate::config::plan::{Plan, Table};
use ringmill_sqlite::LiveTable;
use std::iter::once;

use super::differences::{at_once, column_of};
use super::{create_table, default, is_not_null, quote_text};
use crate::api::sql::quote;
use crate::api::sql_text::one_line;

/// Behind the name of the table while it is made.
const NEW: &str = "_anew";

/// What to do: the statements if they can be told, else words.
pub(super) fn remedy(plan: &Plan, table: &Table, live: &LiveTable) -> String {
    match statements(plan, table, live) {
        Some(statements) => format!(
            "make the table anew while nobody writes, with sqlite3, then `ringmill migrate`: {};",
            statements.join("; ")
        ),
        None => "make the table anew, with the columns that the file does not have (https://www.sqlite.org/lang_altertable.html#otheralter)".into(),
    }
}

/// `None` if a column would be lost, or one that is new has no value for the rows that are there. Indexes and triggers are made
/// again as they are.
pub(super) fn statements(plan: &Plan, table: &Table, live: &LiveTable) -> Option<Vec<String>> {
    let is_declared = |name: &str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    if live.columns.iter().any(|column| column.computed || !is_declared(&column.name)) {
        return None;
    }
    let (old, new): (Vec<_>, Vec<_>) =
        table.columns.iter().partition(|column| column_of(live, &column.name).is_some());
    if new.iter().any(|column| is_not_null(table, column) && default(column).is_none()) {
        return None;
    }
    let anew = Table { sql_name: format!("{}{NEW}", table.sql_name), ..table.clone() };
    let (name, new_name) = (quote(&table.sql_name), quote(&anew.sql_name));
    let columns: Vec<_> = old.iter().map(|column| quote(&column.name)).collect();
    let columns = columns.join(", ");
    let numbers = live.sql.to_ascii_uppercase().contains("AUTOINCREMENT").then(|| {
        let (old, new) = (quote_text(&table.sql_name), quote_text(&anew.sql_name));
        [
            format!("DELETE FROM sqlite_sequence WHERE name = {new}"),
            format!("INSERT INTO sqlite_sequence (name, seq) SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"),
        ]
    });
    let indexes = live.indexes.iter().filter_map(|index| index.sql.as_deref());
    let triggers = live.triggers.iter().map(|(_, sql)| sql.as_str());
    let made_again: Vec<String> = indexes.chain(triggers).map(one_line).collect();
    // A text with a line break in it has no form that fits a line.
    if made_again.iter().any(|sql| sql.contains(['\n', '\r'])) {
        return None;
    }
    let statements = [
        "PRAGMA foreign_keys = OFF".to_owned(),
        // Views and triggers that name the table stay as they are.
        "PRAGMA legacy_alter_table = ON".to_owned(),
        "BEGIN IMMEDIATE".to_owned(),
        one_line(&at_once(&create_table(plan, &anew))),
        format!("INSERT INTO {new_name} ({columns}) SELECT {columns} FROM {name}"),
    ]
    .into_iter()
    .chain(numbers.into_iter().flatten())
    .chain([format!("DROP TABLE {name}"), format!("ALTER TABLE {new_name} RENAME TO {name}")])
    .chain(made_again)
    .chain(once("COMMIT".to_owned()));
    Some(statements.collect())
}
