//! How to make a table anew with its rows: SQLite drops no constraint of a table that is there
//! (<https://www.sqlite.org/lang_altertable.html#otheralter>). What the new table would not have, and which rows it would not take,
//! is told before the statements.

use crate::config::plan::{Column, Generated, Table, Type};
use ringmill_sqlite::{LiveColumn, LiveIndex, LiveTable};
use std::iter::once;

use super::differences::{Found, at_once, column_of, is_unique, refers_as};
use super::narrower::is_declared_unique;
use super::types::holds;
use super::{
    check_begins, check_clause, checks, create_table, default, form, is_key_alone, is_not_null, keeps_form,
    quote_text, storage,
};
use crate::api::sql::quote;
use crate::api::sql_text::{check_conditions, one_line};

/// How [`Found::anew`] begins.
pub(super) const ANEW: &str = "make the table anew";
/// Behind the name of the table while it is made.
const NEW: &str = "_anew";
const HOW: &str = "https://www.sqlite.org/lang_altertable.html#otheralter";

impl Found<'_> {
    /// What to do: the statements if they can be told, else what stands in their way.
    pub(super) fn anew(&self, table: &Table, live: &LiveTable) -> String {
        let obstacles = obstacles(table, live);
        if !obstacles.is_empty() {
            return format!(
                "{ANEW} ({HOW}), for which statements are told once {}",
                obstacles.join(", and ")
            );
        }
        let statements = self.statements_anew(table, live);
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
            "{ANEW}{lost}{first}, while nobody writes, with sqlite3 -bail, then `ringmill migrate`: {};",
            statements.join("; ")
        )
    }

    /// Where there is no obstacle. Indexes and triggers are made again as they are.
    fn statements_anew(&self, table: &Table, live: &LiveTable) -> Vec<String> {
        let old = table.columns.iter().filter(|column| column_of(live, &column.name).is_some());
        let free = self.names.free(format!("{}{NEW}", table.sql_name));
        let anew = Table { sql_name: free, ..table.clone() };
        let (name, new_name) = (quote(&table.sql_name), quote(&anew.sql_name));
        let columns: Vec<_> = old.map(|column| quote(&column.name)).collect();
        let columns = columns.join(", ");
        let numbers = live.sql.to_ascii_uppercase().contains("AUTOINCREMENT").then(|| {
            let (old, new) = (quote_text(&table.sql_name), quote_text(&anew.sql_name));
            [
                format!("DELETE FROM sqlite_sequence WHERE name = {new}"),
                format!("INSERT INTO sqlite_sequence (name, seq) SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"),
            ]
        });
        let made_again = made_again(live).map(|(_, sql)| sql);
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
        statements.collect()
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

/// What has to be done before statements can be told: a column would be lost, a new one has no value, values of one are not those
/// of the file's type, or a text has no form that fits a line.
fn obstacles(table: &Table, live: &LiveTable) -> Vec<String> {
    let mut obstacles = Vec::new();
    let is_declared = |name: &str| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let named = |keep: &dyn Fn(&LiveColumn) -> bool| {
        let names = live.columns.iter().filter(|column| keep(column)).map(|column| column.name.as_str());
        Some(names.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
    };
    if let Some(names) = named(&|column| !column.computed && !is_declared(&column.name)) {
        obstacles.push(format!(
            "the file declares {names} too, or the database has no such column any more (DROP COLUMN)"
        ));
    }
    if let Some(names) = named(&|column| column.computed) {
        obstacles.push(format!("the database no longer computes {names}"));
    }
    for column in &table.columns {
        match column_of(live, &column.name) {
            None if is_not_null(table, column) && default(column).is_none() => {
                obstacles.push(format!("the new column {} has a `default` or is not required", column.name));
            }
            Some(there) if is_of_another_type(column, live, there) && !is_converted(column) => {
                obstacles.push(converted_by_hand(table, column));
            }
            _ => {}
        }
    }
    for (name, _) in made_again(live).filter(|(_, sql)| sql.contains(['\n', '\r'])) {
        obstacles.push(format!("{name} is dropped, whose statement has a text with a line break"));
    }
    obstacles
}

/// How a column gets the file's type: what its values become is not guessed.
fn converted_by_hand(table: &Table, column: &Column) -> String {
    let (of, name) = (quote(&table.sql_name), quote(&column.name));
    let (new, kind) = (quote(&format!("{}{NEW}", column.name)), storage(column.rules.kind));
    format!(
        "{} is {kind}, which, with what its values become in the place of `?`, is done by BEGIN IMMEDIATE; \
         ALTER TABLE {of} ADD COLUMN {new} {kind}; UPDATE {of} SET {new} = ?; ALTER TABLE {of} DROP COLUMN {name}; \
         ALTER TABLE {of} RENAME COLUMN {new} TO {name}; COMMIT",
        column.name
    )
}

/// Name and statement of each index and trigger that has one.
fn made_again(live: &LiveTable) -> impl Iterator<Item = (&str, String)> {
    let indexes = live.indexes.iter().filter_map(|index| Some((index.name.as_str(), index.sql.as_deref()?)));
    let triggers = live.triggers.iter().map(|(name, sql)| (name.as_str(), sql.as_str()));
    indexes.chain(triggers).map(|(name, sql)| (name, one_line(sql)))
}

fn is_of_another_type(column: &Column, live: &LiveTable, there: &LiveColumn) -> bool {
    !holds(column.rules.kind, &there.declared_type, live.strict)
}

/// Whether a STRICT table makes of each value of another type the one that is meant, or refuses it. Of numbers the conditions of
/// rules would compare texts before that.
fn is_converted(column: &Column) -> bool {
    match column.rules.kind {
        // What is no JSON is found by the condition of its rules.
        Type::Text | Type::Json => true,
        Type::BigInt | Type::Real | Type::Double | Type::Numeric => check_clause(column).is_none(),
        _ => false,
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
        if let Some(form) = form(column).filter(|_| !keeps_form(column, live)) {
            refused.push(format!("NOT ({form})"));
        }
        if check_clause(column).is_some_and(|clause| !live.sql.contains(&clause)) {
            refused.push(format!("NOT ({})", checks(column).join(" AND ")));
        }
        if is_of_another_type(column, live, there) {
            let kind = storage(column.rules.kind);
            refused.push(match kind {
                // Some versions of SQLite write fifteen digits of a number.
                "TEXT" => format!(
                    "typeof({name}) = 'blob' OR typeof({name}) = 'real' AND CAST(CAST({name} AS TEXT) AS REAL) <> {name}"
                ),
                _ => format!("CAST({name} AS {kind}) <> {name}"),
            });
        } else if !live.strict && column.generated != Some(Generated::Identity) {
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

#[cfg(test)]
mod tests;
