//! Values of another form than the API writes, which another program may have stored: looked for once, in a bounded number of rows.

use crate::config::key_of;
use crate::config::plan::{Column, Plan, Table, Type};
use ringmill_sqlite::{Found, Inspector, LiveTable, Schema, TableKind};

use super::Findings;
use crate::api::schema::{drop_on_write, form, in_form, keeps_form};
use crate::api::sql::quote;

/// Rows of a table that are looked at.
const ROWS_MAX: usize = 100_000;

pub(super) fn advise(findings: &mut Findings<'_>, live: &Schema, inspector: &Inspector) {
    let plan: &Plan = findings.plan;
    for table in &plan.tables {
        let there = live.table(&table.sql_name).filter(|there| there.kind == TableKind::Table);
        let Some(there) = there.filter(|there| there.has_rows) else { continue };
        for column in table.columns.iter().filter(|column| !keeps_form(column, there)) {
            let Some(form) = form(column) else { continue };
            let (of, name) = (quote(&table.sql_name), quote(&column.name));
            let query = format!(
                "SELECT 1 FROM (SELECT {name} FROM {of} LIMIT {ROWS_MAX}) WHERE NOT ({form}) LIMIT 1"
            );
            if inspector.find(&query) == Found::Row {
                let key = key_of(&format!("{}.columns", key_of("tables", &table.name)), &column.name);
                let message = format!(
                    "{}.{} holds values that are not written as {}: they are answered as they stand, cannot be sent back, and sort by their letters",
                    table.sql_name,
                    column.name,
                    example(column.rules.kind)
                );
                findings.note(&key, message, remedy(table, column, there, &form));
            }
        }
    }
}

fn remedy(table: &Table, column: &Column, live: &LiveTable, form: &str) -> String {
    let (of, name) = (quote(&table.sql_name), quote(&column.name));
    let shown = format!("SELECT * FROM {of} WHERE NOT ({form}) shows them");
    let Some(value) = in_form(column) else { return format!("{shown}; mend each by hand") };
    // Else the UPDATE would count as a write of today.
    let drop = drop_on_write(table, live);
    let then = if drop.is_empty() { "" } else { ", then `ringmill migrate`" };
    let is_known = format!("NOT ({form}) AND {value} IS NOT NULL");
    format!(
        "{shown}; those that SQLite can read are mended by {drop}UPDATE {of} SET {name} = {value} WHERE {is_known}{then}"
    )
}

fn example(kind: Type) -> &'static str {
    match kind {
        Type::Timestamp => "2026-11-24T02:00:00.123456Z",
        Type::Date => "2026-11-24",
        Type::Uuid => "a UUID in lower case",
        _ => "a number",
    }
}
