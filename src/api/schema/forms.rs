//! How text of a type that SQLite has not is written: timestamps, dates, UUIDs and numerics. A CHECK of its own says so, apart from the
//! one of the file's rules: tables that were made without it are no other tables for that.

use crate::config::plan::{Column, Generated, Type};
use ringmill_sqlite::LiveTable;

use super::check_begins;
use crate::api::sql::quote;

/// A condition that holds for NULL and for text as the API writes it; `None` if any value of the column's type is that.
pub(in crate::api) fn form(column: &Column) -> Option<String> {
    if column.rules.choices.is_some() || column.generated == Some(Generated::Identity) {
        return None;
    }
    form_of(column.rules.kind, &quote(&column.name))
}

/// [`form`] of an expression.
fn form_of(kind: Type, value: &str) -> Option<String> {
    let hex = |count: usize| "[0-9a-f]".repeat(count);
    // Nothing here rounds: date() of a time with a fraction is another day in some versions of SQLite.
    let day = |whole: &str| format!("date({whole}) IS {whole} AND {whole} >= '0001'");
    Some(match kind {
        // GLOB first: date() of 'now' is an error in a CHECK.
        Type::Date => format!("{value} GLOB '{DAY}' AND {}", day(value)),
        Type::Timestamp => format!(
            "{value} GLOB '{DAY}T{TIME}.{}Z' AND substr({value}, 12, 2) < '24' AND {}",
            "[0-9]".repeat(6),
            day(&format!("substr({value}, 1, 10)"))
        ),
        Type::Uuid => {
            format!("{value} GLOB '{}-{}-{}-{}-{}'", hex(8), hex(4), hex(4), hex(4), hex(12))
        }
        // JSON of no other characters than a number's is a number. Up to 3.44 SQLite calls NULL no valid JSON.
        Type::Numeric => {
            format!("{value} NOT GLOB '*[^-+.0-9eE]*' AND json_valid(coalesce({value}, '0'))")
        }
        _ => return None,
    })
}

/// Patterns of GLOB.
const DAY: &str = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]";
const TIME: &str = "[0-9][0-9]:[0-5][0-9]:[0-5][0-9]";

/// `CONSTRAINT "name" CHECK (…)`
pub(super) fn form_clause(column: &Column) -> Option<String> {
    form(column).map(|form| format!("{}{form})", check_begins(column)))
}

/// Whether the database keeps out what has another form.
pub(in crate::api) fn keeps_form(column: &Column, live: &LiveTable) -> bool {
    form_clause(column).is_none_or(|clause| live.sql.contains(&clause))
}

/// SQL of the same value in the form of the column's type, and a condition under which it is that for certain: SQLite's own
/// spelling of a time in UTC, whose letters alone change. `None` if no SQL says it: what another spelling means is not guessed.
pub(in crate::api) fn in_form(column: &Column) -> Option<(String, String)> {
    if column.rules.kind != Type::Timestamp {
        return None;
    }
    let name = quote(&column.name);
    let value = format!("(substr({name}, 1, 10) || 'T' || substr({name}, 12) || '.000000Z')");
    let form = form_of(Type::Timestamp, &value)?;
    Some((value, format!("{name} GLOB '{DAY} {TIME}' AND {form}")))
}

/// How a value of the type is written.
pub(in crate::api) fn example(kind: Type) -> &'static str {
    match kind {
        Type::Timestamp => "2026-11-24T02:00:00.123456Z",
        Type::Date => "2026-11-24",
        Type::Uuid => "a UUID in lower case",
        _ => "a number",
    }
}
