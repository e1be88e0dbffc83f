//! Foreign keys of the database that the file does not declare. They refuse what clients send, and delete or change rows that no
//! request names; so they are declared where the file can say them, and told where it cannot.

use crate::config::key_of;
use crate::config::plan::{Column, Plan, Table};
use ringmill_sqlite::{LiveForeignKey, LiveTable, Schema, TableKind};

use super::differences::{Found, Means, column_key, refers_as};
use super::is_in_key;

impl Found<'_> {
    /// Of a table that the file declares.
    pub(super) fn foreign_keys(&mut self, table: &Table, live: &LiveTable) {
        for there in &live.foreign_keys {
            if is_declared(self.plan, table, there) {
                continue;
            }
            let (from, to) = (shown(&table.sql_name, &there.columns), shown_target(there));
            if let Some((column, says)) = sayable(self.plan, table, there) {
                self.add(
                    column_key(table, column),
                    format!("{from} refers to {to} in the database, which the file does not say"),
                    Means::Undeclared { remedy: format!("add {says} to the column") },
                );
                continue;
            }
            // The key of the column, if it is one that the file has.
            let column = match there.columns.as_slice() {
                [name] => column_named(table, name),
                _ => None,
            };
            let key =
                column.map_or_else(|| key_of("tables", &table.name), |column| column_key(table, column));
            let is_known = self.plan.tables.iter().any(|parent| is_called(parent, &there.table));
            let what =
                if is_known { "which the file cannot say" } else { "a table that the file does not have" };
            let unseen = match there.on_delete.as_str() {
                "CASCADE" => "; a DELETE there deletes rows here",
                "SET NULL" | "SET DEFAULT" => "; a DELETE there changes rows here",
                _ => "",
            };
            self.add(
                key,
                format!("{from} refers to {to} in the database, {what}: values without a row there are 400{unseen}"),
                Means::Unseen,
            );
        }
    }

    /// Of tables that the file does not declare, to those that it does and whose rows clients may delete.
    pub(super) fn foreign_keys_of_others(&mut self, live: &Schema) {
        let is_other = |child: &&LiveTable| {
            child.kind == TableKind::Table
                && !self.plan.tables.iter().any(|table| is_called(table, &child.name))
        };
        let mut found = Vec::new();
        for child in live.tables.iter().filter(is_other) {
            for there in &child.foreign_keys {
                let parent = self.plan.tables.iter().find(|table| is_called(table, &there.table));
                let Some(parent) = parent.filter(|parent| parent.access.delete && parent.item.is_some())
                else {
                    continue;
                };
                let from = shown(&child.name, &there.columns);
                let does = match there.on_delete.as_str() {
                    "CASCADE" => "deletes the rows there that refer to it",
                    "SET NULL" => "sets that to NULL in the rows there that refer to it",
                    "SET DEFAULT" => "sets that to its default in the rows there that refer to it",
                    _ => "is 409 while a row there refers to it",
                };
                let to = &parent.sql_name;
                found.push((
                    key_of("tables", &parent.name),
                    format!("{from}, of a table that the file does not have, refers to {to}: a DELETE of a row {does}"),
                ));
            }
        }
        for (key, message) in found {
            self.add(key, message, Means::Unseen);
        }
    }
}

/// The column and what is to be written at it; `None` if no rules of the file say that foreign key.
fn sayable<'a>(plan: &Plan, table: &'a Table, there: &LiveForeignKey) -> Option<(&'a Column, String)> {
    let [name] = there.columns.as_slice() else { return None };
    let column = column_named(table, name).filter(|column| column.references.is_none())?;
    let parent = plan.tables.iter().find(|table| is_called(table, &there.table))?;
    let target = match (there.target_columns.as_slice(), parent.key.as_slice()) {
        ([name], _) => column_named(parent, name)?,
        ([], [key]) => &parent.columns[*key],
        _ => return None,
    };
    let may_be_null = !column.rules.required && column.generated.is_none() && !is_in_key(table, column);
    let on_delete = match there.on_delete.as_str() {
        "NO ACTION" => "",
        "RESTRICT" => ", on_delete = \"restrict\"",
        "CASCADE" => ", on_delete = \"cascade\"",
        "SET NULL" if may_be_null => ", on_delete = \"set_null\"",
        _ => return None,
    };
    Some((column, format!("references = \"{}.{}\"{on_delete}", parent.name, target.name)))
}

/// Whether a column of the file says it; that it says it otherwise is told there.
fn is_declared(plan: &Plan, table: &Table, there: &LiveForeignKey) -> bool {
    table.columns.iter().any(|column| refers_as(plan, column, there))
}

fn is_called(table: &Table, name: &str) -> bool {
    table.sql_name.eq_ignore_ascii_case(name)
}

fn column_named<'a>(table: &'a Table, name: &str) -> Option<&'a Column> {
    table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

/// `albums.artist`, `albums (artist, label)`
fn shown(table: &str, columns: &[String]) -> String {
    match columns {
        [] => table.to_owned(),
        [column] => format!("{table}.{column}"),
        columns => format!("{table} ({})", columns.join(", ")),
    }
}

fn shown_target(there: &LiveForeignKey) -> String {
    shown(&there.table, &there.target_columns)
}
