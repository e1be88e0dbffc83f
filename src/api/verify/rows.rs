//! Whether a tag can be as fine as a row: whether a key's values tell rows apart, and whether a write changes no rows but those
//! that it names. Said only where the schema leaves no doubt.

use crate::api::schema::{holds, own_triggers};
use crate::api::{Api, Kind};
use crate::config::plan::{EndpointKind, Plan, Table};
use ringmill_sqlite::{LiveTable, Schema, TableKind};

use super::touched::{TableRef, Touched};

/// Marks the tables and operations of which that is certain.
pub(super) fn tell(api: &mut Api, plan: &Plan, live: &Schema) {
    for (index, table) in plan.tables.iter().enumerate() {
        let has_comparable_key = api.tables[index].has_comparable_key();
        api.tables[index].has_exact_key = has_comparable_key && has_exact_key(table, live);
    }
    for index in 0..api.operations.len() {
        let operation = &api.operations[index];
        let replaces = match operation.kind {
            Kind::Sql(statement) => {
                let endpoint = &plan.endpoints[api.endpoint_of_statement(plan, statement)];
                // Also a function of that name: better once too often.
                matches!(&endpoint.kind, EndpointKind::Sql(sql) if has_replace(&sql.sql))
            }
            _ => false,
        };
        let own = match operation.kind {
            Kind::Create(table) | Kind::Put(table) | Kind::Patch(table) | Kind::Delete(table) => Some(table),
            _ => None,
        };
        let knows_rows = !replaces && knows_rows(plan, live, &operation.terms.touched, own);
        api.operations[index].terms.touched.knows_rows = knows_rows;
    }
}

/// Whether the database compares the key as bytes: then no two ways to write it find one row.
fn has_exact_key(table: &Table, live: &Schema) -> bool {
    let columns = || table.key.iter().map(|key| &table.columns[*key]);
    let Some(there) = live.table(&table.sql_name) else {
        // It is made as declared.
        return true;
    };
    there.kind == TableKind::Table
        && columns().all(|column| {
            let stored = there.columns.iter().find(|known| known.name.eq_ignore_ascii_case(&column.name));
            stored.is_some_and(|stored| {
                stored.collation.eq_ignore_ascii_case("BINARY")
                    && holds(column.rules.kind, &stored.declared_type, there.strict)
            })
        })
}

/// Whether what is written beside the named rows lies in other tables. Those are taken as a whole.
fn knows_rows(plan: &Plan, live: &Schema, touched: &Touched, own: Option<usize>) -> bool {
    let own = own.map(TableRef::Declared);
    let written = || touched.writes.iter().map(|tag| &tag.table).chain(&own);
    let table_of = |table: &TableRef| match table {
        TableRef::Declared(index) => live.table(&plan.tables[*index].sql_name),
        TableRef::Other(name) => live.table(name),
    };
    let is_plain = |table: &LiveTable| {
        let declared = plan.tables.iter().find(|known| known.sql_name.eq_ignore_ascii_case(&table.name));
        let has_own_triggers = match declared {
            Some(declared) => own_triggers(declared, table).next().is_some(),
            None => !table.triggers.is_empty(),
        };
        // A row that is written may take others of its table with it, at once or round through a table that is written too.
        let leads_back = table.foreign_keys.iter().any(|key| {
            written()
                .any(|table| table_of(table).is_some_and(|other| other.name.eq_ignore_ascii_case(&key.table)))
        });
        table.kind == TableKind::Table && !has_own_triggers && !has_replace(&table.sql) && !leads_back
    };
    let named = |table: &TableRef| {
        own.as_ref() == Some(table)
            || touched.writes.iter().any(|tag| tag.table == *table && tag.rows.is_some())
    };
    // Where a table is missing it is made as declared: without triggers of its own, and of what refers to what the file knows.
    let declared_leads_back = |index: usize| {
        let references = plan.tables[index].columns.iter().filter_map(|column| column.references.as_ref());
        references.into_iter().any(|one| written().any(|table| *table == TableRef::Declared(one.table)))
    };
    written().all(|table| match (table_of(table), table) {
        (Some(there), _) if named(table) => is_plain(there),
        (None, TableRef::Declared(index)) if named(table) => !declared_leads_back(*index),
        // Its triggers may write back.
        (Some(there), TableRef::Declared(index)) => {
            own_triggers(&plan.tables[*index], there).next().is_none()
        }
        (Some(there), TableRef::Other(_)) => there.triggers.is_empty(),
        (None, _) => true,
    })
}

fn has_replace(sql: &str) -> bool {
    let word = b"replace";
    sql.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}
