//! Foreign keys: whether the database has those of the file, and those that the file does not declare. They refuse what clients send,
//! and delete or change rows that no request names; so they are declared where the file can say them, and told where it cannot.

use crate::config::plan::{Column, ColumnIndex, OnDelete, Plan, Table, Type};
use crate::config::{key_of, type_name};
use ringmill_sqlite::{LiveForeignKey, LiveTable, Schema, TableKind};
use std::fmt::Write;

use super::differences::{Found, Means, column_key, column_of, refers_as};
use super::{is_in_key, is_key_alone, on_delete_words};
use crate::api::sql::quote;

impl Found<'_> {
    /// Whether a reference of the file is in the database as it says.
    pub(super) fn reference(
        &mut self,
        table: &Table,
        column: &Column,
        live: &LiveTable,
        key: &str,
        name: &str,
    ) {
        let Some(reference) = &column.references else { return };
        let parent = &self.plan.tables[reference.table];
        let target = &parent.columns[reference.column].name;
        let wanted = on_delete_words(reference.on_delete);
        let (message, remedy) = match self.reference_there(table, column, live) {
            Some(found) if found.is_declared && found.there.on_delete == wanted => return,
            Some(found) if found.is_declared => {
                let has = &found.there.on_delete;
                let write = written_on_delete(found.there, may_be_null(table, column));
                (
                    format!("{name} has ON DELETE {has} in the database, {wanted} in the file"),
                    format!("{write}, or {}", self.anew(table, live)),
                )
            }
            Some(found) => {
                let (says, also) = (found.says, found.also);
                (
                    format!(
                        "{name} refers to {} in the database, in the file to {}.{target}",
                        shown_target(found.there),
                        parent.sql_name
                    ),
                    format!("write {says} at the column{also}, or {}", self.anew(table, live)),
                )
            }
            None => (
                format!("{name} does not refer to {}.{target} in the database", parent.sql_name),
                format!(
                    "SQLite adds no reference to a column that is there: remove `references`, or make {} anew",
                    table.sql_name
                ),
            ),
        };
        self.add(key, message, Means::Wrong { remedy });
    }

    /// Of a table that the file declares.
    pub(super) fn foreign_keys(&mut self, table: &Table, live: &LiveTable) {
        for there in &live.foreign_keys {
            let column = own_column(table, there);
            let told = column.and_then(|column| self.reference_there(table, column, live));
            let is_told = told.as_ref().is_some_and(|told| std::ptr::eq(told.there, there));
            let (from, to) = (shown(&table.sql_name, &there.columns), shown_target(there));
            let key =
                column.map_or_else(|| key_of("tables", &table.name), |column| column_key(table, column));
            if let Some(why) = broken(self.plan, self.live, there) {
                self.broken_key(
                    table,
                    live,
                    there,
                    &key,
                    &format!("{from} refers to {to} in the database, {why}"),
                );
                continue;
            }
            match (column.and_then(|column| column.references.as_ref()), told) {
                // That it is said otherwise is told there.
                (Some(_), Some(_)) if is_told => continue,
                (None, Some(told)) if is_told && is_written(table) => {
                    self.add(
                        key,
                        format!("{from} refers to {to} in the database, which the file does not say"),
                        Means::Undeclared { remedy: format!("add {} to the column{}", told.says, told.also) },
                    );
                    continue;
                }
                _ => {}
            }
            let is_known = self.plan.tables.iter().any(|parent| is_called(parent, &there.table));
            let types = column.and_then(|column| other_types(self.plan, column, there));
            let what = match () {
                () if is_told => "which the file does not say".to_owned(),
                () if !is_known => "a table that the file does not have".to_owned(),
                () => format!("which the file cannot say{}", types.unwrap_or_default()),
            };
            let refused = if is_written(table) { ": values without a row there are 400" } else { "" };
            let unseen = match there.on_delete.as_str() {
                "CASCADE" => "; a DELETE there deletes rows here",
                "SET NULL" if is_never_null(live, there) => {
                    "; a DELETE there would make it NULL, which it may not be, and is 409"
                }
                "SET NULL" | "SET DEFAULT" => "; a DELETE there changes rows here",
                _ => "",
            };
            self.add(
                key,
                format!("{from} refers to {to} in the database, {what}{refused}{unseen}"),
                Means::Unseen,
            );
        }
    }

    /// One that SQLite refuses every statement for which has to look at it.
    fn broken_key(
        &mut self,
        table: &Table,
        live: &LiveTable,
        there: &LiveForeignKey,
        key: &str,
        message: &str,
    ) {
        if !is_written(table) {
            self.add(key, message.to_owned(), Means::Unseen);
            return;
        }
        let is_said = table.columns.iter().any(|column| refers_as(self.plan, column, there));
        let parent = self.live.table(&there.table).filter(|parent| parent.kind == TableKind::Table);
        let has_all = |parent: &&LiveTable| {
            !there.target_columns.is_empty()
                && there.target_columns.iter().all(|name| column_of(parent, name).is_some())
        };
        let anew = self.anew(table, live);
        let remedy = match parent.filter(has_all) {
            Some(parent) => {
                let index = format!("{}_{}_key", parent.name, there.target_columns.join("_"));
                let columns: Vec<_> = there.target_columns.iter().map(|name| quote(name)).collect();
                let (index, of) = (quote(&self.names.free(index)), quote(&parent.name));
                format!("run CREATE UNIQUE INDEX {index} ON {of} ({})", columns.join(", "))
            }
            None if is_said => "remove `references`, then see what is to be done".to_owned(),
            None => anew,
        };
        self.add(key, format!("{message}: SQLite writes no row"), Means::Wrong { remedy });
    }

    /// Which foreign key of the database a column of the file stands for, or should: the one that it declares, else the first that it
    /// could, one that changes or deletes rows before others.
    fn reference_there<'a>(
        &self,
        table: &Table,
        column: &Column,
        live: &'a LiveTable,
    ) -> Option<Reference<'a>> {
        let changes = |there: &&LiveForeignKey| !matches!(there.on_delete.as_str(), "NO ACTION" | "RESTRICT");
        let all = || {
            live.foreign_keys
                .iter()
                .filter(changes)
                .chain(live.foreign_keys.iter().filter(|there| !changes(there)))
        };
        let wanted = column.references.as_ref().map(|reference| on_delete_words(reference.on_delete));
        let declared = all().filter(|there| refers_as(self.plan, column, there));
        let as_wanted = declared.clone().find(|there| Some(there.on_delete.as_str()) == wanted);
        if let Some(there) = as_wanted.or_else(|| declared.clone().next()) {
            return Some(Reference { there, is_declared: true, says: String::new(), also: String::new() });
        }
        all().find_map(|there| {
            let is_sound = broken(self.plan, self.live, there).is_none();
            sayable(self.plan, table, column, live, there).filter(|_| is_sound)
        })
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

/// A foreign key of the database, and how the file says it.
struct Reference<'a> {
    there: &'a LiveForeignKey,
    /// The file says it, but for what a DELETE does.
    is_declared: bool,
    /// What is to be written at the column.
    says: String,
    /// What is to be written elsewhere, with what stands in front of it.
    also: String,
}

/// What the file says of a foreign key as it is.
fn written_on_delete(there: &LiveForeignKey, may_be_null: bool) -> String {
    let known = [OnDelete::NoAction, OnDelete::Restrict, OnDelete::Cascade, OnDelete::SetNull];
    match known.into_iter().find(|known| on_delete_words(*known) == there.on_delete) {
        Some(OnDelete::NoAction) => "leave on_delete out".into(),
        Some(OnDelete::SetNull) if !may_be_null => "leave `references` out".into(),
        Some(known) => {
            format!("write on_delete = \"{}\"", on_delete_words(known).to_ascii_lowercase().replace(' ', "_"))
        }
        // SET DEFAULT, which the file cannot say.
        None => "leave `references` out".into(),
    }
}

/// `None` if no rules of the file say that foreign key.
fn sayable<'a>(
    plan: &Plan,
    table: &Table,
    column: &Column,
    live: &LiveTable,
    there: &'a LiveForeignKey,
) -> Option<Reference<'a>> {
    own_column(table, there).filter(|own| own.name == column.name)?;
    let (parent, target) = target(plan, there)?;
    let target = &parent.columns[target];
    let mut says = String::new();
    if column.rules.kind != target.rules.kind {
        if !is_integer(column.rules.kind) || !is_integer(target.rules.kind) {
            return None;
        }
        write!(says, "type = \"{}\", ", type_name(target.rules.kind)).expect("into a string");
    }
    write!(says, "references = \"{}.{}\"", parent.name, target.name).expect("into a string");
    says.push_str(match there.on_delete.as_str() {
        "NO ACTION" => "",
        "RESTRICT" => ", on_delete = \"restrict\"",
        "CASCADE" => ", on_delete = \"cascade\"",
        "SET NULL" if may_be_null(table, column) && !is_never_null(live, there) => {
            ", on_delete = \"set_null\""
        }
        _ => return None,
    });
    let is_one_row = target.unique || is_key_alone(parent, target);
    let also = match is_one_row {
        true => String::new(),
        false => format!(", and unique = true to {}", column_key(parent, target)),
    };
    Some(Reference { there, is_declared: false, says, also })
}

/// The table and column of the file that it refers to.
fn target<'a>(plan: &'a Plan, there: &LiveForeignKey) -> Option<(&'a Table, ColumnIndex)> {
    let parent = plan.tables.iter().find(|table| is_called(table, &there.table))?;
    let index = match (there.target_columns.as_slice(), parent.key.as_slice()) {
        ([name], _) => parent.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))?,
        // Of a table that is still to be made.
        ([], [key]) => *key,
        _ => return None,
    };
    Some((parent, index))
}

/// Where the file's types are what keeps it from saying a foreign key: that they are.
fn other_types(plan: &Plan, column: &Column, there: &LiveForeignKey) -> Option<String> {
    let (parent, target) = target(plan, there)?;
    let (own, other) = (column.rules.kind, parent.columns[target].rules.kind);
    (own != other && !(is_integer(own) && is_integer(other)))
        .then(|| format!(" of columns of different types, {} and {}", type_name(own), type_name(other)))
}

/// Why a foreign key is none that SQLite could keep; `None` if it is sound
/// (<https://www.sqlite.org/foreignkeys.html#fk_indexes>).
fn broken(plan: &Plan, live: &Schema, there: &LiveForeignKey) -> Option<&'static str> {
    let Some(parent) = live.table(&there.table) else {
        let is_declared = plan.tables.iter().any(|table| is_called(table, &there.table));
        return (!is_declared).then_some("which has no such table");
    };
    if parent.kind != TableKind::Table {
        return Some("where that is a view");
    }
    let names = &there.target_columns;
    let are_all = |columns: &[&str]| {
        columns.len() == names.len()
            && columns.iter().all(|column| names.iter().any(|name| name.eq_ignore_ascii_case(column)))
    };
    let key: Vec<_> = parent.columns.iter().filter(|column| column.key_position > 0).collect();
    let key: Vec<_> = key.into_iter().map(|column| column.name.as_str()).collect();
    let by_index = parent.indexes.iter().filter(|index| index.unique && index.condition.is_none());
    let by_index = by_index.filter_map(|index| index.columns.iter().map(|name| name.as_deref()).collect());
    let is_sound = !names.is_empty()
        && (are_all(&key) || by_index.into_iter().any(|columns: Vec<&str>| are_all(&columns)));
    (!is_sound).then_some("which is not unique there")
}

fn is_integer(kind: Type) -> bool {
    matches!(kind, Type::SmallInt | Type::Integer | Type::BigInt)
}

/// Whether clients may bring values.
fn is_written(table: &Table) -> bool {
    table.access.create && table.list.is_some() || table.access.update && table.item.is_some()
}

/// Whether the file lets a column be NULL.
fn may_be_null(table: &Table, column: &Column) -> bool {
    !column.rules.required && column.generated.is_none() && !is_in_key(table, column)
}

/// Whether one of its columns is NOT NULL in the database.
fn is_never_null(live: &LiveTable, there: &LiveForeignKey) -> bool {
    let of = |name: &String| column_of(live, name);
    there.columns.iter().filter_map(of).any(|column| column.not_null || column.key_position > 0)
}

/// The one column of the file that it is about.
fn own_column<'a>(table: &'a Table, there: &LiveForeignKey) -> Option<&'a Column> {
    match there.columns.as_slice() {
        [name] => column_named(table, name),
        _ => None,
    }
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
