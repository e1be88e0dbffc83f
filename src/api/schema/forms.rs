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
    let name = quote(&column.name);
    let hex = |count: usize| "[0-9a-f]".repeat(count);
    Some(match column.rules.kind {
        // GLOB first: date() of 'now' is an error in a CHECK. The rest date() knows: digits, hours, days of the calendar.
        Type::Date => format!("{name} GLOB '????-??-??' AND date({name}) IS {name}"),
        Type::Timestamp => format!(
            "{name} GLOB '????-??-??T??:??:??.{}Z' AND date({name}) IS substr({name}, 1, 10)",
            "[0-9]".repeat(6)
        ),
        Type::Uuid => {
            format!("{name} GLOB '{}-{}-{}-{}-{}'", hex(8), hex(4), hex(4), hex(4), hex(12))
        }
        // JSON of no other characters than a number's is a number. Up to 3.44 SQLite calls NULL no valid JSON.
        Type::Numeric => {
            format!("{name} NOT GLOB '*[^-+.0-9eE]*' AND json_valid(coalesce({name}, '0'))")
        }
        _ => return None,
    })
}

/// `CONSTRAINT "name" CHECK (…)`
pub(super) fn form_clause(column: &Column) -> Option<String> {
    form(column).map(|form| format!("{}{form})", check_begins(column)))
}

/// Whether the database keeps out what has another form.
pub(in crate::api) fn keeps_form(column: &Column, live: &LiveTable) -> bool {
    form_clause(column).is_none_or(|clause| live.sql.contains(&clause))
}

/// SQL of the same value in the form of the column's type, NULL where SQLite cannot tell it; `None` if no SQL says it.
pub(in crate::api) fn in_form(column: &Column) -> Option<String> {
    let name = quote(&column.name);
    match column.rules.kind {
        Type::Timestamp => Some(format!("strftime('%Y-%m-%dT%H:%M:%f000Z', {name})")),
        Type::Date => Some(format!("date({name})")),
        Type::Uuid => Some(format!("lower({name})")),
        _ => None,
    }
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
