//! The tables as SQLite has them. Types, rules and generated values stand in the schema, so that SQL endpoints and other
//! programs have them too.
//!
//! Tables are STRICT: a column holds its own type or nothing. CHECKs carry their column's name, so that a refusal can be laid to
//! it. Identities are AUTOINCREMENT, so that the number of a deleted row never comes back.

use crate::config::plan::{Bound, Column, Generated, Index, OnDelete, Plan, Table, Type};
use ringmill_sqlite::Value;
use std::collections::HashSet;
use std::fmt::Write;

use super::convert;
use super::sql::quote;
use super::sql_text;

mod clashes;
mod differences;
mod foreign;
mod forms;
mod missing;
mod narrower;
mod rebuild;
mod renamed;
mod triggers;
mod types;
mod unknown;
mod witnesses;

pub(super) use clashes::Why;
pub(super) use clashes::{Clashing, clash_of, mend};
pub use differences::{Difference, Harm, Means, Step, differences};
pub(super) use differences::{made_index, steps};
use forms::form_clause;
pub(super) use forms::{example, form, in_form, keeps_form};
pub(super) use missing::drop_on_write;
pub(super) use triggers::{own_triggers, put_aside};
pub(super) use types::holds;
pub(super) use unknown::stand_in;

#[cfg(test)]
mod tests;

/// How to make one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// Its name in the database.
    pub name: String,
    /// CREATE TABLE, then its indexes, then its triggers.
    pub statements: Vec<String>,
}

/// All tables of the plan, those that others refer to first.
pub fn schema(plan: &Plan) -> Vec<TableSchema> {
    // One for all tables: an index named as one that is there already would not be made.
    let mut names = Names::new(plan.tables.iter().map(|table| &table.sql_name));
    let schemas = plan.tables.iter().map(|table| table_schema(plan, table, &mut names));
    let mut schemas: Vec<_> = schemas.map(Some).collect();
    parents_first(plan).into_iter().filter_map(|index| schemas[index].take()).collect()
}

/// Names that are taken, in lower case: databases do not tell capitals apart.
struct Names(HashSet<String>);

impl Names {
    fn new<'a>(names: impl IntoIterator<Item = &'a String>) -> Names {
        Names(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// `base`, with a number behind it if another has that name.
    fn take(&mut self, base: String) -> String {
        let name = self.free(base);
        self.0.insert(name.to_ascii_lowercase());
        name
    }

    /// What [`take`](Names::take) would give.
    fn free(&self, base: String) -> String {
        let mut name = base.clone();
        let mut number = 2;
        while self.0.contains(&name.to_ascii_lowercase()) {
            name = format!("{base}{number}");
            number += 1;
        }
        name
    }
}

/// Children of a cycle follow the file's order: SQLite looks for a parent when a row is written, not before.
fn parents_first(plan: &Plan) -> Vec<usize> {
    let mut order = Vec::new();
    let mut left: Vec<usize> = (0..plan.tables.len()).collect();
    while !left.is_empty() {
        let is_ready = |index: &usize| {
            let parents = plan.tables[*index].columns.iter().filter_map(|column| column.references.as_ref());
            parents.map(|reference| reference.table).all(|parent| parent == *index || order.contains(&parent))
        };
        let next = left.iter().position(is_ready).unwrap_or(0);
        order.push(left.remove(next));
    }
    order
}

fn table_schema(plan: &Plan, table: &Table, names: &mut Names) -> TableSchema {
    let mut statements = vec![create_table(plan, table)];
    statements.extend(table.indexes.iter().map(|index| create_index(table, index, names)));
    let touched = table.columns.iter().filter(|column| column.generated == Some(Generated::OnWrite));
    statements.extend(touched.map(|column| {
        let name = names.take(trigger_name(table, column));
        create_trigger(table, column, &name)
    }));
    TableSchema { name: table.sql_name.clone(), statements }
}

fn create_table(plan: &Plan, table: &Table) -> String {
    let mut parts: Vec<_> =
        table.columns.iter().map(|column| column_definition(plan, table, column, Of::NewTable)).collect();
    // An identity is the whole key, which its own definition says.
    if table.columns.iter().all(|column| column.generated != Some(Generated::Identity)) {
        let names: Vec<_> = table.key.iter().map(|key| quote(&table.columns[*key].name)).collect();
        parts.push(format!("PRIMARY KEY ({})", names.join(", ")));
    }
    format!("CREATE TABLE IF NOT EXISTS {} (\n  {}\n) STRICT", quote(&table.sql_name), parts.join(",\n  "))
}

/// Which table a column is defined for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    NewTable,
    /// SQLite adds no UNIQUE column: its index is made apart.
    OldTable,
}

fn column_definition(plan: &Plan, table: &Table, column: &Column, of: Of) -> String {
    let mut sql = format!("{} {}", quote(&column.name), storage(column.rules.kind));
    if column.generated == Some(Generated::Identity) {
        sql.push_str(" PRIMARY KEY AUTOINCREMENT");
        return sql;
    }
    if is_not_null(table, column) {
        sql.push_str(" NOT NULL");
    }
    if let Some(default) = default(column) {
        write!(sql, " DEFAULT {default}").expect("into a string");
    }
    if column.unique && !is_key_alone(table, column) && of == Of::NewTable {
        sql.push_str(" UNIQUE");
    }
    for check in form_clause(column).into_iter().chain(check_clause(column)) {
        write!(sql, " {check}").expect("into a string");
    }
    if let Some(reference) = &column.references {
        let parent = &plan.tables[reference.table];
        let name = &parent.columns[reference.column].name;
        write!(sql, " REFERENCES {} ({})", quote(&parent.sql_name), quote(name)).expect("into a string");
        if reference.on_delete != OnDelete::NoAction {
            write!(sql, " ON DELETE {}", on_delete_words(reference.on_delete)).expect("into a string");
        }
    }
    sql
}

fn is_in_key(table: &Table, column: &Column) -> bool {
    table.key.iter().any(|key| table.columns[*key].name == column.name)
}

fn is_key_alone(table: &Table, column: &Column) -> bool {
    table.key.len() == 1 && is_in_key(table, column)
}

fn is_not_null(table: &Table, column: &Column) -> bool {
    column.rules.required || column.generated.is_some() || is_in_key(table, column)
}

/// `CONSTRAINT "name" CHECK (…)`
fn check_clause(column: &Column) -> Option<String> {
    let checks = checks(column);
    (!checks.is_empty()).then(|| format!("{}{})", check_begins(column), checks.join(" AND ")))
}

fn check_begins(column: &Column) -> String {
    format!("CONSTRAINT {} CHECK (", quote(&column.name))
}

fn on_delete_words(on_delete: OnDelete) -> &'static str {
    match on_delete {
        OnDelete::NoAction => "NO ACTION",
        OnDelete::Restrict => "RESTRICT",
        OnDelete::Cascade => "CASCADE",
        OnDelete::SetNull => "SET NULL",
    }
}

pub(super) fn storage(kind: Type) -> &'static str {
    match kind {
        Type::SmallInt | Type::Integer | Type::BigInt | Type::Boolean => "INTEGER",
        Type::Real | Type::Double => "REAL",
        Type::Numeric | Type::Text | Type::Timestamp | Type::Date | Type::Uuid | Type::Json => "TEXT",
        Type::Bytes => "BLOB",
    }
}

fn default(column: &Column) -> Option<String> {
    match column.generated {
        Some(Generated::OnCreate | Generated::OnWrite) => Some(format!("({})", now(column.rules.kind))),
        Some(Generated::Uuid) => Some(format!("({RANDOM_UUID})")),
        Some(Generated::Identity) => None,
        None => literal(column.rules.kind, column.rules.default.as_ref()?),
    }
}

/// Version 4, RFC 9562 section 5.4.
const RANDOM_UUID: &str = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || \
    substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) || \
    substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";

/// SQLite's clock has milliseconds; the digits are those of every other timestamp.
pub(super) fn now(kind: Type) -> &'static str {
    match kind {
        Type::Date => "strftime('%Y-%m-%d', 'now')",
        _ => "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
    }
}

fn literal(kind: Type, value: &serde_json::Value) -> Option<String> {
    Some(match convert::constant(kind, value)? {
        Value::Null => return None,
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => format!("{real:?}"),
        Value::Text(text) => quote_text(&text),
        Value::Blob(bytes) => {
            let mut literal = String::from("X'");
            for byte in bytes {
                write!(literal, "{byte:02X}").expect("into a string");
            }
            literal.push('\'');
            literal
        }
    })
}

fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What the type and the rules demand; NULL passes a CHECK.
fn checks(column: &Column) -> Vec<String> {
    let name = quote(&column.name);
    let rules = &column.rules;
    let mut checks = Vec::new();
    match rules.kind {
        Type::SmallInt => checks.push(format!("{name} BETWEEN -32768 AND 32767")),
        Type::Integer => checks.push(format!("{name} BETWEEN -2147483648 AND 2147483647")),
        Type::Boolean => checks.push(format!("{name} IN (0, 1)")),
        // Up to 3.44 SQLite calls NULL no valid JSON, and other programs may bring such a one along.
        Type::Json => checks.push(format!("json_valid(coalesce({name}, 'null'))")),
        _ => {}
    }
    if let Some(least) = rules.min_length {
        checks.push(format!("length({name}) >= {least}"));
    }
    if let Some(most) = rules.max_length {
        checks.push(format!("length({name}) <= {most}"));
    }
    let number = match rules.kind {
        Type::Numeric => format!("CAST({name} AS REAL)"),
        _ => name.clone(),
    };
    if let Some(minimum) = &rules.minimum {
        checks.push(format!("{number} >= {}", bound(rules.kind, minimum)));
    }
    if let Some(maximum) = &rules.maximum {
        checks.push(format!("{number} <= {}", bound(rules.kind, maximum)));
    }
    if let Some(choices) = &rules.choices {
        let literals: Vec<_> = choices.iter().filter_map(|choice| literal(rules.kind, choice)).collect();
        checks.push(format!("{name} IN ({})", literals.join(", ")));
    }
    checks
}

/// A bound rounded as the column's values are: only so is a value that equals it within it.
fn bound(kind: Type, bound: &Bound) -> String {
    let real = match bound {
        Bound::Integer(integer) if matches!(kind, Type::SmallInt | Type::Integer | Type::BigInt) => {
            return integer.to_string();
        }
        Bound::Integer(integer) => *integer as f64,
        Bound::Real(real) => *real,
    };
    let single = f64::from(real as f32);
    // Beyond the singles any bound will do.
    let rounded = if kind == Type::Real && single.is_finite() { single } else { real };
    format!("{rounded:?}")
}

fn create_index(table: &Table, index: &Index, names: &mut Names) -> String {
    let columns: Vec<_> = index.columns.iter().map(|column| &table.columns[*column].name).collect();
    let base = columns.iter().fold(table.sql_name.clone(), |base, column| format!("{base}_{column}"));
    let mut sql = format!(
        "CREATE {}INDEX IF NOT EXISTS {} ON {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quote(&names.take(format!("{base}_idx"))),
        quote(&table.sql_name),
        columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
    );
    if let Some(condition) = &index.condition {
        // A comment at its end would take what stands behind it.
        write!(sql, " WHERE {}", sql_text::one_line(condition)).expect("into a string");
    }
    sql
}

fn trigger_name(table: &Table, column: &Column) -> String {
    format!("{}_{}_on_write", table.sql_name, column.name)
}

/// Sets the time where a statement did not. A time that already is now ends it, should triggers be recursive.
fn create_trigger(table: &Table, column: &Column, name_of_trigger: &str) -> String {
    let (table_name, name) = (quote(&table.sql_name), quote(&column.name));
    let trigger = quote(name_of_trigger);
    let now = now(column.rules.kind);
    let equal = |key: &usize| {
        let key = quote(&table.columns[*key].name);
        format!("{key} = NEW.{key}")
    };
    let row: Vec<_> = table.key.iter().map(equal).collect();
    let row = row.join(" AND ");
    format!(
        "CREATE TRIGGER IF NOT EXISTS {trigger} AFTER UPDATE ON {table_name} FOR EACH ROW \
         WHEN NEW.{name} IS OLD.{name} AND NEW.{name} IS NOT {now} \
         BEGIN UPDATE {table_name} SET {name} = {now} WHERE {row}; END"
    )
}
