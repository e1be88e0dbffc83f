//! Writes to views. What an INSTEAD OF trigger does counts as no row that was met (sqlite3_changes), so that a write which is done
//! would be answered as if there had been no such row. RETURNING gives the row all the same.

use crate::config::key_of;
use crate::config::plan::{Shape, SqlEndpoint};
use ringmill_sqlite::{Compiled, Schema, TableKind};

use super::Findings;
use crate::api::{Api, Kind};

/// Tables of the file that are views and may be written.
pub(super) fn check_tables(findings: &mut Findings<'_>, api: &Api, live: &Schema) {
    let plan = findings.plan;
    for operation in &api.operations {
        let (Kind::Create(index) | Kind::Put(index) | Kind::Patch(index) | Kind::Delete(index)) =
            operation.kind
        else {
            continue;
        };
        let table = &plan.tables[index];
        if is_view(live, &table.sql_name) {
            findings.fault(
                &key_of("tables", &table.name),
                format!(
                    "{} is a view in the database: whether a write to it met a row cannot be told",
                    table.sql_name
                ),
                "write access = { list = \"public\", get = \"public\" }, and write through SQL endpoints whose statements have RETURNING",
            );
        }
    }
}

/// An endpoint that answers 404 if its statement met no row.
pub(super) fn check_statement(
    findings: &mut Findings<'_>,
    key: &str,
    sql: &SqlEndpoint,
    asked: &Compiled,
    live: &Schema,
) {
    if sql.shape == Shape::Rows || !asked.columns.is_empty() {
        return;
    }
    if let Some(view) = asked.targets.iter().find(|name| is_view(live, name)) {
        let at = findings.sql_key(key);
        findings.fault(
            &at,
            format!("{view} is a view: whether the statement met a row cannot be told without RETURNING"),
            "add RETURNING with the columns that the answer shows",
        );
    }
}

fn is_view(live: &Schema, name: &str) -> bool {
    live.table(name).is_some_and(|table| table.kind == TableKind::View)
}
