//! What is missing and may be there under another name: adding it would leave the old values aside.

use crate::config::nearest;
use crate::config::plan::{Column, Table};
use ringmill_sqlite::{LiveColumn, LiveTable, TableKind};
use serde_json::Value as Json;

use super::differences::Found;
use super::types::holds;
use crate::api::sql::quote;

/// Columns of a table from which on those that have the same names make it a like one, whatever its own name.
const LIKE_COLUMNS_MIN: usize = 2;
/// Letters from which on a name says something: a single one is part of most others.
const LIKE_NAME_MIN: usize = 3;

impl Found<'_> {
    /// What to do if a missing column is one that the file does not have.
    pub(super) fn renamed_column(table: &Table, column: &Column, live: &LiveTable) -> Option<String> {
        let is_like = |there: &&LiveColumn| {
            !table.columns.iter().any(|known| known.name.eq_ignore_ascii_case(&there.name))
                && can_be_shown(&there.name)
                && !there.computed
                && holds(column.rules.kind, &there.declared_type, live.strict)
        };
        let like: Vec<_> = live.columns.iter().filter(is_like).map(|there| there.name.as_str()).collect();
        let name = match like.as_slice() {
            [one] if one.len().min(column.name.len()) >= LIKE_NAME_MIN => one,
            several => alike(&column.name, several)?,
        };
        Some(format!(
            "if it is the column {name}: ALTER TABLE {} RENAME COLUMN {} TO {}",
            quote(&table.sql_name),
            quote(name),
            quote(&column.name)
        ))
    }

    /// What to do if a missing table is one that the file does not have: of a like name, or with all its columns.
    pub(super) fn renamed_table(&self, table: &Table) -> Option<String> {
        let is_other = |there: &&LiveTable| {
            there.kind == TableKind::Table
                && can_be_shown(&there.name)
                && !self.plan.tables.iter().any(|known| known.sql_name.eq_ignore_ascii_case(&there.name))
        };
        let others: Vec<_> = self.live.tables.iter().filter(is_other).collect();
        let has_all = |there: &&&LiveTable| {
            let has = |column: &Column| {
                there.columns.iter().any(|known| known.name.eq_ignore_ascii_case(&column.name))
            };
            table.columns.len() >= LIKE_COLUMNS_MIN && table.columns.iter().all(has)
        };
        let names: Vec<_> = others.iter().map(|there| there.name.as_str()).collect();
        let like = others.iter().find(has_all).map(|there| there.name.as_str());
        let name = like.or_else(|| alike(&table.sql_name, &names))?;
        Some(format!(
            "if it is the table {name}: write table = {}, or run ALTER TABLE {} RENAME TO {}",
            // A string of JSON is one of TOML.
            Json::from(name),
            quote(name),
            quote(&table.sql_name)
        ))
    }
}

/// Whether a statement that names it fits a line.
fn can_be_shown(name: &str) -> bool {
    !name.contains(char::is_control)
}

/// The one that is written nearly so, or with more around it.
fn alike<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let is_part = |other: &&&str| {
        let other = other.to_ascii_lowercase();
        lower.len().min(other.len()) >= LIKE_NAME_MIN && (other.contains(&lower) || lower.contains(&other))
    };
    nearest(name, known.iter().copied()).or_else(|| known.iter().find(is_part).copied())
}
