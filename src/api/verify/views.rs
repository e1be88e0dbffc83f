//! Writes to views. What an INSTEAD OF trigger does counts as no row that was met (sqlite3_changes), so that a write which is done
//! would be answered as if there had been no such row. RETURNING gives the row all the same.

use crate::config::key_of;
use crate::config::plan::{Plan, Shape, SqlEndpoint, Table};
use ringmill_sqlite::{Compiled, Schema, TableKind};

use super::Findings;
use crate::api::{Api, Kind};

/// Tables of the file that are views and may be written.
pub(super) fn check_tables(findings: &mut Findings<'_>, api: &Api, live: &Schema) {
    let plan = findings.plan;
    for operation in &api.operations {
        if let Some(table) = written(plan, operation.kind).filter(|table| is_view(live, &table.sql_name)) {
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

/// Whether an operation writes to a view or to a column that the database computes, which is one fault, whatever its statements come
/// to.
pub(super) fn is_told(plan: &Plan, live: &Schema, kind: Kind) -> bool {
    let Some(table) = written(plan, kind) else { return false };
    let Some(there) = live.table(&table.sql_name) else { return false };
    let is_set = |name: &str| {
        let column = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        column.is_some_and(|column| column.generated.is_none() && !column.read_only)
    };
    let sets_computed = there.columns.iter().any(|column| column.computed && is_set(&column.name));
    there.kind == TableKind::View || (sets_computed && !matches!(kind, Kind::Delete(_)))
}

/// The table that an operation writes to.
fn written(plan: &Plan, kind: Kind) -> Option<&Table> {
    match kind {
        Kind::Create(index) | Kind::Put(index) | Kind::Patch(index) | Kind::Delete(index) => {
            Some(&plan.tables[index])
        }
        Kind::List(_) | Kind::Get(_) | Kind::Sql(_) | Kind::Constant(_) | Kind::Echo => None,
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
