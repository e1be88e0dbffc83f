//! Rows that keep SQLite from making a unique index. The schema does not tell of them: the database is asked, for a bounded time,
//! with the same SELECT that shows them to people.

use crate::config::plan::{Column, Index, Table};
use ringmill_sqlite::{Found, Inspector, LiveTable};

use super::default;
use super::differences::{Difference, Means, Step, column_of};
use crate::api::sql::quote;
use crate::api::sql_text::{Token, one_line, tokens};
use std::fmt;

/// Rows that contradict a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// A SELECT that gives a row if there are such.
    pub query: String,
    pub kind: ClashKind,
}

/// Why rows agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClashKind {
    /// They do in columns that are there: the query shows the values, and how often each is there.
    Rows,
    /// All rows would get the same default.
    Default,
}

/// What is known of the rows that would contradict a difference's steps.
pub(in crate::api) enum Clashing {
    No,
    Yes {
        remedy: String,
    },
    /// The query that tells it gave no answer.
    NotKnown {
        query: String,
        why: Why,
    },
}

/// Why a query gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It took longer than there was time for.
    Time,
    /// SQLite refused it, in these words.
    Refused(String),
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Time => out.write_str("it takes longer than 5 s"),
            Why::Refused(words) => write!(out, "it is refused: {words}"),
        }
    }
}

/// Asks whether rows contradict what would be added.
pub(in crate::api) fn clash_of(difference: &Difference, inspector: &Inspector) -> Clashing {
    let Means::Missing { steps, .. } = &difference.means else { return Clashing::No };
    let mut not_known = Clashing::No;
    for step in steps {
        let Some(clash) = &step.clash else { continue };
        match inspector.find(&clash.query) {
            Found::NoRow => {}
            Found::NotKnown => not_known = unanswered(clash, Why::Time),
            Found::Failed { detail } => not_known = unanswered(clash, Why::Refused(detail)),
            Found::Row => return Clashing::Yes { remedy: mend(difference, step, clash) },
        }
    }
    not_known
}

fn unanswered(clash: &Clash, why: Why) -> Clashing {
    Clashing::NotKnown { query: clash.query.clone(), why }
}

/// What to do about rows before a step can be run.
pub(in crate::api) fn mend(difference: &Difference, step: &Step, clash: &Clash) -> String {
    let shown =
        if difference.message.ends_with(&step.sql) { String::new() } else { format!(": {}", step.sql) };
    match clash.kind {
        ClashKind::Rows => format!(
            "rows agree in it: mend those that {} counts, then `ringmill migrate` adds it{shown}",
            clash.query
        ),
        ClashKind::Default => {
            "its rows would all have the same value, which is to be unique: remove `default`, or `unique`"
                .into()
        }
    }
}

/// What keeps the rows that are there from having this unique index; `None` if nothing can. Rows with NULL in one of its columns never
/// agree (<https://www.sqlite.org/lang_createindex.html#unique_indexes>).
pub(super) fn agreeing(table: &Table, live: &LiveTable, index: &Index) -> Option<Clash> {
    if !live.has_rows {
        return None;
    }
    let columns = index.columns.iter().map(|column| &table.columns[*column]);
    let (old, new): (Vec<_>, Vec<_>) = columns.partition(|column| column_of(live, &column.name).is_some());
    // A new column is NULL in all rows, or has its default.
    if new.iter().any(|column| default(column).is_none()) {
        return None;
    }
    let of = with_new_columns(table, live, index);
    let names: Vec<_> = old.iter().map(|column| quote(&column.name)).collect();
    let mut wanted: Vec<_> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    wanted.extend(index.condition.as_deref().map(|condition| format!("({})", one_line(condition))));
    let wanted = if wanted.is_empty() { String::new() } else { format!(" WHERE {}", wanted.join(" AND ")) };
    if names.is_empty() {
        let query = format!("SELECT 1 FROM {of}{wanted} LIMIT 1 OFFSET 1");
        return Some(Clash { query, kind: ClashKind::Default });
    }
    let names = names.join(", ");
    let query = format!("SELECT {names}, count(*) FROM {of}{wanted} GROUP BY {names} HAVING count(*) > 1");
    Some(Clash { query, kind: ClashKind::Rows })
}

/// What to select from: the table, with the columns that it is still to get if the index's condition names some.
fn with_new_columns(table: &Table, live: &LiveTable, index: &Index) -> String {
    let of = quote(&table.sql_name);
    let words: Vec<String> =
        index.condition.as_deref().map(tokens).unwrap_or_default().iter().filter_map(Token::name).collect();
    let is_named = |column: &&Column| {
        column_of(live, &column.name).is_none()
            && words.iter().any(|word| word.eq_ignore_ascii_case(&column.name))
    };
    let new = table.columns.iter().filter(is_named);
    let new: Vec<_> = new
        .map(|column| {
            format!("{} AS {}", default(column).unwrap_or_else(|| "NULL".into()), quote(&column.name))
        })
        .collect();
    if new.is_empty() { of } else { format!("(SELECT *, {} FROM {of})", new.join(", ")) }
}
