//! SQL for a table's own operations. Names are quoted and come from the plan only; values are always parameters.
//!
//! There is one text per operation, whatever a request gives or leaves out: `SET c = iif(?1, ?2, c)` instead of a text per
//! combination of columns, which would let a client fill the store's statements at will.

use crate::config::plan::{self, ColumnIndex, Direction, Generated, Type};
use std::fmt::Write;

/// `"name"`
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `"id","name"`; never empty, since SQL knows no row without cells.
pub(super) fn select_list(table: &plan::Table, columns: &[ColumnIndex]) -> String {
    if columns.is_empty() {
        return "NULL".to_owned();
    }
    let names: Vec<_> = columns.iter().map(|column| quote(&table.columns[*column].name)).collect();
    names.join(",")
}

pub(super) fn list(table: &plan::Table, columns: &[ColumnIndex]) -> String {
    format!(
        "SELECT {} FROM {} ORDER BY {} LIMIT ?1 OFFSET ?2",
        select_list(table, columns),
        quote(&table.sql_name),
        order(table)
    )
}

pub(super) fn count(table: &plan::Table) -> String {
    format!("SELECT count(*) FROM {}", quote(&table.sql_name))
}

/// One row by its key: `?1`, `?2` …
pub(super) fn get(table: &plan::Table, columns: &[ColumnIndex]) -> String {
    let list = select_list(table, columns);
    format!("SELECT {list} FROM {} WHERE {}", quote(&table.sql_name), by_key(table, 1))
}

/// Parameters: a value for each of `set`.
pub(super) fn insert(table: &plan::Table, set: &[ColumnIndex], returned: Option<&[ColumnIndex]>) -> String {
    let mut sql = format!("INSERT INTO {} ", quote(&table.sql_name));
    if set.is_empty() {
        sql.push_str("DEFAULT VALUES");
    } else {
        let places: Vec<_> = (1..=set.len()).map(|number| format!("?{number}")).collect();
        write!(sql, "({}) VALUES ({})", select_list(table, set), places.join(",")).expect("into a string");
    }
    add_returning(&mut sql, table, returned);
    sql
}

/// Parameters: for each of `set` whether and to what; for each `on_write` column the time and the time after (a change must
/// change it: the schema's trigger takes an equal time for one that was left out); the key; for each of `fixed` whether it
/// was given and what, a numeric without zeros at its end. `own` is the table's number.
pub(super) fn update(
    own: usize,
    table: &plan::Table,
    set: &[ColumnIndex],
    fixed: &[ColumnIndex],
    returned: Option<&[ColumnIndex]>,
) -> String {
    let mut number = 1;
    let mut assignments = Vec::new();
    for column in set {
        let name = quote(&table.columns[*column].name);
        assignments.push(format!("{name}=iif(?{},?{},{name})", number, number + 1));
        number += 2;
    }
    for column in on_write(table) {
        let name = quote(&table.columns[column].name);
        assignments.push(format!("{name}=iif({name} IS ?{0},?{1},?{0})", number, number + 1));
        number += 2;
    }
    // SQLite 3.54 takes a row that refers to itself for one without its parent if the parent's column is set and the child's
    // is not.
    for (index, column) in table.columns.iter().enumerate() {
        let refers_to_own = column.references.as_ref().is_some_and(|reference| reference.table == own);
        if refers_to_own && !set.contains(&index) {
            let name = quote(&column.name);
            assignments.push(format!("{name}={name}"));
        }
    }
    let mut sql = format!("UPDATE {} SET {} WHERE ", quote(&table.sql_name), assignments.join(","));
    sql.push_str(&by_key(table, number));
    number += table.key.len();
    for column in fixed {
        let name = quote(&table.columns[*column].name);
        // As `number::without_zeros` does with the parameter.
        let stored = match table.columns[*column].rules.kind {
            Type::Numeric => format!(
                "iif(instr({name},'.') AND NOT instr(lower({name}),'e'),rtrim(rtrim({name},'0'),'.'),{name})"
            ),
            _ => name,
        };
        write!(sql, " AND iif(?{},{stored} IS ?{},1)", number, number + 1).expect("into a string");
        number += 2;
    }
    add_returning(&mut sql, table, returned);
    sql
}

pub(super) fn delete(table: &plan::Table, returned: Option<&[ColumnIndex]>) -> String {
    let mut sql = format!("DELETE FROM {} WHERE {}", quote(&table.sql_name), by_key(table, 1));
    add_returning(&mut sql, table, returned);
    sql
}

/// The columns that every update touches.
pub(super) fn on_write(table: &plan::Table) -> impl Iterator<Item = ColumnIndex> + '_ {
    table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.generated == Some(Generated::OnWrite))
        .map(|(index, _)| index)
}

fn add_returning(sql: &mut String, table: &plan::Table, returned: Option<&[ColumnIndex]>) {
    if let Some(columns) = returned {
        write!(sql, " RETURNING {}", select_list(table, columns)).expect("into a string");
    }
}

fn by_key(table: &plan::Table, first: usize) -> String {
    let equal = |(index, column): (usize, &ColumnIndex)| {
        format!("{}=?{}", quote(&table.columns[*column].name), first + index)
    };
    let equals: Vec<_> = table.key.iter().enumerate().map(equal).collect();
    equals.join(" AND ")
}

/// The declared order, and the key behind it, so that pages neither repeat nor skip rows.
fn order(table: &plan::Table) -> String {
    let ties = table.key.iter().filter(|key| table.order.iter().all(|order| order.column != **key));
    let declared = table.order.iter().map(|order| (order.column, order.direction));
    let terms = declared.chain(ties.map(|key| (*key, Direction::Ascending))).map(|(column, direction)| {
        let column = &table.columns[column];
        let name = quote(&column.name);
        let term = match column.rules.kind {
            // Stored as text, but ordered as numbers, to the last digit. The CAST is for columns of other programs, which may hold numbers.
            Type::Numeric => format!("CAST({name} AS TEXT) COLLATE decimal"),
            _ => name,
        };
        match direction {
            Direction::Ascending => term,
            Direction::Descending => format!("{term} DESC"),
        }
    });
    // Keys that are equal as numbers, 1 and 1.0, are two rows all the same.
    let texts = table.key.iter().map(|key| &table.columns[*key]);
    let texts = texts.filter(|column| column.rules.kind == Type::Numeric).map(|column| quote(&column.name));
    terms.chain(texts).collect::<Vec<_>>().join(",")
}
