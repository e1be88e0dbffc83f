//! Columns of a table, and the columns of other tables that they refer to.

use super::faults::{did_you_mean, nearest};
use super::keys;
use super::plan::{Column, ColumnIndex, Generated, OnDelete, Reference, Table, Type};
use super::rules::{self, Needed, a, has_type, name_of};
use super::section::{At, Section};
use super::tree::{Secrecy, Value};
use super::values;

/// Postgres cuts longer names off.
pub(super) const NAME_BYTES_MAX: usize = 63;

/// Rows are read back with each column twice, and SQLite's results have 2000 at most.
const COLUMNS_MAX: usize = 1000;

/// All columns of a table; their references come later, when all tables are known.
pub(super) fn columns(section: &Section<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (entry, at) in section.named("columns") {
        let name = entry.name.as_str();
        if !values::is_identifier(name) || name.len() > NAME_BYTES_MAX {
            at.fault(
                "is no name of a column",
                format!(
                    "take letters, digits and `_`, a letter or `_` first, at most {NAME_BYTES_MAX}; if the database calls it so, ALTER TABLE … RENAME COLUMN renames it there, or a view that renames it (SELECT \"…\" AS …) is read in place of the table"
                ),
            );
        }
        if columns.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
            at.fault(
                "is a column already: databases do not tell capitals apart",
                "rename or remove one of them",
            );
        }
        if columns.len() == COLUMNS_MAX {
            at.fault(format!("is one column more than {COLUMNS_MAX}"), "divide the table");
        }
        columns.push(column(name, &at));
    }
    columns
}

fn column(name: &str, at: &At<'_>) -> Column {
    let mut column = Column {
        name: name.into(),
        rules: rules::bare(Type::Json),
        unique: false,
        hidden: false,
        read_only: false,
        generated: None,
        references: None,
    };
    if matches!(at.node.value, Value::Text(_)) {
        column.rules = rules::bare(rules::kind(at).unwrap_or(Type::Json));
        return column;
    }
    let section = at.section(keys::COLUMN);
    column.rules = rules::rules(&section, Needed::No);
    column.unique = section.boolean("unique");
    column.hidden = section.boolean("hidden");
    column.read_only = section.boolean("read_only");
    column.generated = generated(&section, &column);
    section.choice_if("on_delete");
    if column.read_only && column.rules.required && section.get("default").is_none() {
        at.fault(
            "is required and read_only, so that no row could ever be created",
            "give it a default, or drop one of the two; if the database computes it, drop `required`",
        );
    }
    column
}

fn generated(section: &Section<'_>, column: &Column) -> Option<Generated> {
    let at = section.get("generated")?;
    if let Some(meant) = at.as_text().and_then(another_name).filter(|_| at.node.secrecy == Secrecy::Plain) {
        at.wrong("is none of the values", format!("did you mean \"{meant}\"?"));
        return Some(Generated::OnCreate);
    }
    let choice = section.choice("generated");
    // What it was meant to be is not known, and so not what fits it.
    if at.as_text() != Some(choice) {
        return Some(Generated::OnCreate);
    }
    let (generated, fits): (_, &[Type]) = match choice {
        "identity" => (Generated::Identity, &[Type::SmallInt, Type::Integer, Type::BigInt]),
        "uuid" => (Generated::Uuid, &[Type::Uuid, Type::Text]),
        "on_write" => (Generated::OnWrite, &[Type::Timestamp]),
        _ => (Generated::OnCreate, &[Type::Timestamp]),
    };
    if has_type(&section.at) && !fits.contains(&column.rules.kind) {
        let names: Vec<&str> = fits.iter().map(|kind| name_of(*kind)).collect();
        at.wrong(
            &format!("does not make {}", a(column.rules.kind)),
            format!("it is for {}", names.join(", ")),
        );
    }
    if section.get("default").is_some() {
        at.fault("generated and default exclude each other", "remove one of them");
    }
    if column.rules.required {
        at.fault("a generated column cannot be required: callers leave it out", "remove `required`");
    }
    Some(generated)
}

/// What other programs call it.
fn another_name(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "now" | "now()" | "created" | "on_insert" => "on_create",
        "updated" | "on_update" => "on_write",
        "auto" | "autoincrement" | "auto_increment" | "serial" => "identity",
        "uuid4" | "uuidv4" | "random" => "uuid",
        _ => return None,
    })
}

/// Of a column that a text names. A table without columns has its fault already.
pub(super) fn index_of(at: &At<'_>, name: &str, columns: &[Column]) -> Option<ColumnIndex> {
    let found = columns.iter().position(|column| column.name == name);
    if found.is_none() && !columns.is_empty() {
        let remedy = match at.node.secrecy {
            Secrecy::Plain => did_you_mean(name, columns.iter().map(|c| c.name.as_str()), "column"),
            Secrecy::Secret => "name one of the columns".into(),
        };
        at.wrong("is no column of this table", remedy);
    }
    found
}

/// Of the table and column that `"table.column"` names.
pub(super) fn locate(at: &At<'_>, tables: &[Table]) -> Option<(usize, ColumnIndex)> {
    let Some(text) = at.as_text() else {
        at.wrong("names no column", "write \"table.column\", such as \"users.id\"");
        return None;
    };
    let plain = at.node.secrecy == Secrecy::Plain;
    let Some((table, column)) = text.split_once('.') else {
        let near = nearest(text, tables.iter().map(|table| table.name.as_str()));
        let known = tables.iter().find(|known| known.name == text || near == Some(known.name.as_str()));
        let key = known.and_then(|table| Some((table, &table.columns.get(*table.key.first()?)?.name)));
        let remedy = match key.filter(|_| plain) {
            Some((table, key)) => format!("did you mean \"{}.{key}\"?", table.name),
            None => "write \"table.column\"".into(),
        };
        at.wrong("names no column", remedy);
        return None;
    };
    let Some(index) = tables.iter().position(|known| known.name == table) else {
        let names = tables.iter().map(|table| table.name.as_str());
        let remedy = if plain { did_you_mean(table, names, "table") } else { "name one of [tables]".into() };
        at.wrong("names no table of this file", remedy);
        return None;
    };
    let columns = &tables[index].columns;
    if columns.is_empty() {
        return None;
    }
    let Some(column) = columns.iter().position(|known| known.name == column) else {
        let names = columns.iter().map(|column| column.name.as_str());
        let remedy =
            if plain { did_you_mean(column, names, "column") } else { "name one of its columns".into() };
        at.wrong("names no column of that table", remedy);
        return None;
    };
    Some((index, column))
}

/// What to do where a key of several columns would be referred to.
const ONE_COLUMN: &str =
    "refer to one unique column, or leave `references` out and check it in the SQL of an endpoint";

/// Resolves `references` of every column, once all tables are known.
pub(super) fn resolve_references(named: &[At<'_>], tables: &mut [Table]) {
    for (index, at) in named.iter().enumerate() {
        let Some(columns) = at.child("columns") else { continue };
        for (column, (_, at)) in columns.named().into_iter().enumerate() {
            if !at.node.is_table() {
                continue;
            }
            let in_key = tables[index].key.contains(&column);
            let reference = reference(&at, &tables[index].columns[column], in_key, tables, named);
            tables[index].columns[column].references = reference;
        }
    }
}

/// `named` are the tables as written.
fn reference(
    at: &At<'_>,
    column: &Column,
    in_key: bool,
    tables: &[Table],
    named: &[At<'_>],
) -> Option<Reference> {
    let on_delete_at = at.child("on_delete");
    let Some(references) = at.child("references") else {
        if let Some(at) = on_delete_at {
            at.fault("on_delete is for a column that refers to another", "write references, or remove it");
        }
        return None;
    };
    if let Value::List(_) = references.node.value {
        references.fault("a reference of several columns is not in this version", ONE_COLUMN);
        return None;
    }
    let (table, target) = locate(&references, tables)?;
    let other = &tables[table];
    let (kind, other_kind) = (column.rules.kind, other.columns[target].rules.kind);
    let other_at = named[table].child("columns").and_then(|at| at.child(&other.columns[target].name));
    if kind != other_kind && has_type(at) && other_at.as_ref().is_some_and(has_type) {
        references.wrong(
            &format!("is {}, this column {}", a(other_kind), a(kind)),
            "give both the same type, or remove `references`",
        );
    }
    if other.key != [target] && !other.columns[target].unique {
        let remedy = if other.key.len() > 1 {
            format!("its key has several columns, and a reference is to one: {ONE_COLUMN}")
        } else {
            "refer to the key, or to a unique column".into()
        };
        references.wrong("may name several rows", remedy);
    }
    let on_delete = match on_delete_at.as_ref().and_then(At::as_text) {
        Some("restrict") => OnDelete::Restrict,
        Some("cascade") => OnDelete::Cascade,
        Some("set_null") => OnDelete::SetNull,
        _ => OnDelete::NoAction,
    };
    if let (OnDelete::SetNull, Some(at)) = (on_delete, &on_delete_at) {
        if in_key {
            at.fault("a key cannot be set to null", "take another on_delete");
        } else if column.generated.is_some() {
            at.fault("a generated column cannot be set to null", "take another on_delete");
        } else if column.rules.required {
            at.fault("a required column cannot be set to null", "take another on_delete, or drop `required`");
        }
    }
    Some(Reference { table, column: target, on_delete })
}
