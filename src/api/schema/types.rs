//! Types of columns that are there, beside those of the file.

use crate::config::TYPES;
use crate::config::plan::Type;
use ringmill_sqlite::LiveColumn;

use super::storage;

pub(super) fn shown_type(column: &LiveColumn) -> &str {
    if column.declared_type.is_empty() { "of no type" } else { &column.declared_type }
}

/// The types of the file that give back what such a column holds.
pub(super) fn fitting(column: &LiveColumn, strict: bool) -> String {
    let fits = |kind: &Type| holds(*kind, &column.declared_type, strict);
    let names = TYPES.iter().filter(|(_, kind)| fits(kind)).map(|(name, _)| format!("\"{name}\""));
    format!("as type what fits such a column ({})", names.collect::<Vec<_>>().join(", "))
}

/// Whether a column of that declared type gives back what is stored of a kind of value
/// (<https://www.sqlite.org/datatype3.html#determination_of_column_affinity>).
pub(in crate::api) fn holds(kind: Type, declared: &str, strict: bool) -> bool {
    let declared = declared.to_ascii_uppercase();
    let wanted = storage(kind);
    if strict {
        let same = if declared == "INT" { "INTEGER" } else { &declared };
        return same == "ANY" || same == wanted;
    }
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    let affinity = match () {
        () if has(&["INT"]) => "INTEGER",
        () if has(&["CHAR", "CLOB", "TEXT"]) => "TEXT",
        () if has(&["BLOB"]) || declared.is_empty() => return true,
        () if has(&["REAL", "FLOA", "DOUB"]) => "REAL",
        () => "NUMERIC",
    };
    match (wanted, affinity) {
        // Bytes are never converted.
        ("BLOB", _) | ("INTEGER" | "REAL", "NUMERIC") => true,
        // No such text looks like a number, so it stays as it is.
        ("TEXT", "NUMERIC") => matches!(kind, Type::Timestamp | Type::Date | Type::Uuid),
        _ => wanted == affinity,
    }
}
