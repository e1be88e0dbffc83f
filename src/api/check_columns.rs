//! Which column a CHECK of the database is about: SQLite says no more of one that refuses a row than its name, or its condition
//! if it has none (<https://www.sqlite.org/lang_createtable.html#check_constraints>).

use ringmill_sqlite::LiveTable;

use super::sql_text::{Token, tokens};

/// What SQLite calls a CHECK, and the one column that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckColumn {
    pub(super) name: String,
    pub(super) column: String,
}

/// The CHECKs of a table that name one column alone.
pub(super) fn of(live: &LiveTable) -> Vec<CheckColumn> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    let all = tokens(&live.sql);
    for (index, token) in all.iter().enumerate().filter(|(_, token)| token.is("CHECK")) {
        let behind = &all[index + 1..];
        let Some(open) = behind.first().filter(|open| open.is_symbol("(")) else { continue };
        let is_close = |close: &Token<'_>| close.is_symbol(")") && close.depth == token.depth;
        let Some(end) = behind.iter().position(is_close) else { continue };
        let condition = live.sql[open.start + 1..behind[end].start].trim();
        let inside = &behind[1..end];
        let Some(name) = given_name(&all[..index], token.depth).or_else(|| called(condition, inside)) else {
            continue;
        };
        let at = found.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            found.push((name, Vec::new()));
            found.len() - 1
        });
        for column in live.columns.iter().filter(|column| names(inside, &column.name)) {
            if !found[at].1.contains(&column.name.as_str()) {
                found[at].1.push(&column.name);
            }
        }
    }
    let alone = found.into_iter().filter_map(|(name, columns)| match columns.as_slice() {
        [column] => Some(CheckColumn { name, column: (*column).to_owned() }),
        _ => None,
    });
    alone.collect()
}

/// The column of the CHECK that SQLite calls so; the name itself where none is known, which is a column's in tables that the file
/// made. Of several tables' all have to agree.
pub(super) fn column<'a>(checks: &'a [CheckColumn], name: &'a str) -> &'a str {
    let mut columns = checks.iter().filter(|check| check.name == name).map(|check| check.column.as_str());
    match columns.next() {
        Some(column) if columns.all(|other| other.eq_ignore_ascii_case(column)) => column,
        _ => name,
    }
}

/// What CONSTRAINT says; it holds up to the next comma.
fn given_name(before: &[Token<'_>], depth: usize) -> Option<String> {
    let own = before.iter().enumerate().rev().filter(|(_, token)| token.depth == depth);
    let own = own.take_while(|(_, token)| !token.is_symbol(","));
    let at = own.filter(|(_, token)| token.is("CONSTRAINT")).map(|(at, _)| at).next()?;
    before.get(at + 1)?.name()
}

/// The condition; one that begins with a quotation mark is taken for a name by SQLite.
fn called(condition: &str, inside: &[Token<'_>]) -> Option<String> {
    match inside.first()? {
        first if first.text.starts_with('\'') => Some(first.inside("'").replace("''", "'")),
        first if condition.starts_with(['"', '`', '[']) => first.name(),
        _ => Some(condition.to_owned()),
    }
}

/// Whether a condition names a column; what stands in front of a parenthesis is a function.
fn names(condition: &[Token<'_>], column: &str) -> bool {
    condition.iter().enumerate().any(|(index, token)| {
        let is_function = condition.get(index + 1).is_some_and(|next| next.is_symbol("("));
        token.name().is_some_and(|name| name.eq_ignore_ascii_case(column)) && !is_function
    })
}

#[cfg(test)]
mod tests;
