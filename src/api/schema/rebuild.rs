//! How to make a table anew with its rows: SQLite drops no constraint of a table that is there
//! (<https://www.sqlite.org/lang_altertable.html#otheralter>). What the new table would not have, and which rows it would not take,
//! is told before the statements.

use crate::config::plan::{Generated, Table};
use ringmill_sqlite::{LiveIndex, LiveTable};
use std::iter::once;

use super::differences::{Found, at_once, column_of, is_unique, refers_as};
use super::narrower::is_declared_unique;
use super::{
    check_begins, check_clause, checks, create_table, default, is_key_alone, is_not_null, quote_text, storage,
};
use crate::api::sql::quote;
use crate::api::sql_text::{check_conditions, one_line};

/// Behind the name of the table while it is made.
const NEW: &str = "_anew";

impl Found<'_> {
    /// What to do: the statements if they can be told, else words.
    pub(super) fn anew(&self, table: &Table, live: &LiveTable) -> String {
        let Some(statements) = self.statements_anew(table, live) else {
            return "make the table anew, with the columns that the file does not have (https://www.sqlite.org/lang_altertable.html#otheralter)".into();
        };
        let lost = self.lost(table, live);
        let lost = match lost.as_slice() {
            [] => String::new(),
            lost => format!(", which drops what the file does not declare ({})", lost.join("; ")),
        };
        let refused = if live.has_rows { refused_rows(table, live) } else { Vec::new() };
        let first = match refused.as_slice() {
            [] => String::new(),
            refused => format!(
                ", once no row is found by SELECT * FROM {} WHERE {}",
                quote(&table.sql_name),
                refused.join(" OR ")
            ),
        };
        format!(
            "make the table anew{lost}{first}, while nobody writes, with sqlite3 -bail, then `ringmill migrate`: {};",
            statements.join("; ")
        )
    }

    /// `None` if a column would be lost, or one that is new has no value for the rows that are there. Indexes and triggers are
    /// made again as they are.
    fn statements_anew(&self, table: &Table, live: &LiveTable) -> Option<Vec<String>> {
        let is_declared =
            |name: &str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        if live.columns.iter().any(|column| column.computed || !is_declared(&column.name)) {
            return None;
        }
        let (old, new): (Vec<_>, Vec<_>) =
            table.columns.iter().partition(|column| column_of(live, &column.name).is_some());
        if new.iter().any(|column| is_not_null(table, column) && default(column).is_none()) {
            return None;
        }
        let free = self.names.free(format!("{}{NEW}", table.sql_name));
        let anew = Table { sql_name: free, ..table.clone() };
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
            one_line(&at_once(&create_table(self.plan, &anew))),
            format!("INSERT INTO {new_name} ({columns}) SELECT {columns} FROM {name}"),
        ]
        .into_iter()
        .chain(numbers.into_iter().flatten())
        .chain([format!("DROP TABLE {name}"), format!("ALTER TABLE {new_name} RENAME TO {name}")])
        .chain(made_again)
        .chain(once("COMMIT".to_owned()));
        Some(statements.collect())
    }

    /// What the table has by its own statement and the new one would not have, in words of SQL.
    fn lost(&self, table: &Table, live: &LiveTable) -> Vec<String> {
        let mut lost = Vec::new();
        for column in &table.columns {
            let Some(there) = column_of(live, &column.name) else { continue };
            let name = &there.name;
            let is_key = there.key_position > 0;
            if there.not_null && !is_key && !is_not_null(table, column) {
                lost.push(format!("NOT NULL of {name}"));
            }
            if let Some(has) = there.default.as_deref().filter(|_| default(column).is_none()) {
                lost.push(format!("DEFAULT {} of {name}", one_line(has)));
            }
            if !there.collation.eq_ignore_ascii_case("BINARY") {
                lost.push(format!("COLLATE {} of {name}", there.collation));
            }
        }
        let by_constraint = |index: &&LiveIndex| index.unique && index.sql.is_none();
        for index in live.indexes.iter().filter(by_constraint) {
            let names: Vec<&str> = index.columns.iter().map(|name| name.as_deref().unwrap_or("…")).collect();
            let position =
                |name: &&str| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
            let columns: Option<Vec<usize>> = names.iter().map(position).collect();
            if !columns.is_some_and(|columns| is_declared_unique(table, &columns, None)) {
                lost.push(format!("UNIQUE ({})", names.join(", ")));
            }
        }
        let ours: Vec<String> = table.columns.iter().map(|column| checks(column).join(" AND ")).collect();
        // A CHECK of the file's rules, of whatever bounds, gives way to the new one.
        let is_of_rules = |condition: &str| {
            table
                .columns
                .iter()
                .any(|column| live.sql.contains(&format!("{}{condition})", check_begins(column))))
        };
        for condition in check_conditions(&live.sql) {
            if !ours.iter().any(|ours| ours == condition) && !is_of_rules(condition) {
                lost.push(format!("CHECK ({})", one_line(condition)));
            }
        }
        for there in &live.foreign_keys {
            if !table.columns.iter().any(|column| refers_as(self.plan, column, there)) {
                let target = match there.target_columns.as_slice() {
                    [] => String::new(),
                    columns => format!(" ({})", columns.join(", ")),
                };
                let (columns, parent) = (there.columns.join(", "), &there.table);
                lost.push(format!("FOREIGN KEY ({columns}) REFERENCES {parent}{target}"));
            }
        }
        let words = one_line(&live.sql).to_ascii_uppercase();
        let others = ["ON CONFLICT", "ON UPDATE", "DEFERRABLE"];
        lost.extend(others.into_iter().filter(|clause| words.contains(clause)).map(str::to_owned));
        lost
    }
}

/// Conditions by which rows are found that the new table would refuse.
fn refused_rows(table: &Table, live: &LiveTable) -> Vec<String> {
    let mut refused = Vec::new();
    for column in &table.columns {
        let Some(there) = column_of(live, &column.name) else { continue };
        let name = quote(&there.name);
        let was_null = !there.not_null && there.key_position == 0;
        if is_not_null(table, column) && was_null {
            refused.push(format!("{name} IS NULL"));
        }
        if check_clause(column).is_some_and(|clause| !live.sql.contains(&clause)) {
            refused.push(format!("NOT ({})", checks(column).join(" AND ")));
        }
        if !live.strict && column.generated != Some(Generated::Identity) {
            let wrong = match storage(column.rules.kind) {
                "TEXT" => "'blob'",
                "INTEGER" => "'real', 'text', 'blob'",
                "REAL" => "'text', 'blob'",
                _ => "'integer', 'real', 'text'",
            };
            refused.push(format!("typeof({name}) IN ({wrong})"));
        }
        if column.unique && !is_key_alone(table, column) && !is_unique(live, &[&column.name]) {
            refused.push(agreeing(table, &name));
        }
    }
    let key: Vec<&str> = table.key.iter().map(|index| table.columns[*index].name.as_str()).collect();
    if !is_unique(live, &key) {
        let names: Vec<_> = key.iter().map(|name| quote(name)).collect();
        refused.push(agreeing(table, &names.join(", ")));
    }
    refused
}

/// `names`: quoted, with commas.
fn agreeing(table: &Table, names: &str) -> String {
    let of = quote(&table.sql_name);
    format!("({names}) IN (SELECT {names} FROM {of} GROUP BY {names} HAVING count(*) > 1)")
}
