//! Values of another form than the API writes, which another program may have stored: looked for once, in a bounded number of rows.

use crate::config::key_of;
use crate::config::plan::{Column, Plan, Table};
use ringmill_sqlite::{Found, Inspector, LiveTable, Schema, TableKind};

use super::Findings;
use crate::api::schema::{drop_on_write, example, form, in_form, keeps_form, put_aside};
use crate::api::sql::quote;
use crate::api::sql_text::one_line;

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
                    "{}.{} holds values that are not written as {}: they are answered as they stand, cannot be sent back, and sort by their letters{}",
                    table.sql_name,
                    column.name,
                    example(column.rules.kind),
                    default_words(column, there, &form, inspector)
                );
                findings.note(&key, message, remedy(table, column, there, &form));
            }
        }
    }
}

/// `on_write` is dropped too, or the UPDATE would count as a write of today; `migrate` makes it again.
fn remedy(table: &Table, column: &Column, live: &LiveTable, form: &str) -> String {
    let (of, name) = (quote(&table.sql_name), quote(&column.name));
    let shown = format!("SELECT * FROM {of} WHERE NOT ({form}) shows them");
    let Some((value, certain)) = in_form(column) else { return format!("{shown}; mend each by hand") };
    let of_file = drop_on_write(table, live);
    let (dropped, made_again) = put_aside(table, column, live);
    let update = format!("UPDATE {of} SET {name} = {value} WHERE {certain}");
    let then = if of_file.is_empty() { "" } else { ", then `ringmill migrate`" };
    let mended = format!("{shown}; those in the spelling of CURRENT_TIMESTAMP are mended");
    if of_file.is_empty() && dropped.is_empty() {
        return format!("{mended} by {update}");
    }
    let aside = match dropped.as_slice() {
        [] => "",
        [_] => {
            ", with the trigger of the database that would run with it dropped before and made again after,"
        }
        _ => {
            ", with the triggers of the database that would run with it dropped before and made again after,"
        }
    };
    let own = |statements: &[String]| statements.iter().map(|sql| format!("{sql}; ")).collect::<String>();
    format!(
        "{mended}{aside} by, with sqlite3 -bail, BEGIN IMMEDIATE; {of_file}{}{update}; {}COMMIT;{then}",
        own(&dropped),
        own(&made_again)
    )
}

/// What a DEFAULT of the database comes to, if it has another form.
fn default_words(column: &Column, live: &LiveTable, form: &str, inspector: &Inspector) -> String {
    let there = live.columns.iter().find(|there| there.name.eq_ignore_ascii_case(&column.name));
    let Some(default) = there.and_then(|there| there.default.as_deref()).map(one_line) else {
        return String::new();
    };
    let query = format!("SELECT 1 FROM (SELECT {default} AS {}) WHERE NOT ({form})", quote(&column.name));
    match inspector.find(&query) {
        Found::Row => format!(
            "; its DEFAULT, {default}, goes on writing such values into rows that are inserted without one"
        ),
        Found::NoRow | Found::NotKnown | Found::Failed { .. } => String::new(),
    }
}
