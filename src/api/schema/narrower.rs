//! Rules of the database that are narrower than the file's: a value that the file allows and the database refuses. Whether a CHECK
//! is, is not guessed from its text: values at the ends of what the file allows are tried on it.

use crate::config::plan::{Bound, Column, Format, Table, Type};
use ringmill_sqlite::{Compiler, LiveColumn, LiveIndex, LiveTable};
use std::cell::OnceCell;

use super::differences::{Found, Means, column_key};
use super::{bound, check_begins, check_clause, is_not_null, literal, quote_text};
use crate::api::sql::quote;
use crate::api::sql_text;
use crate::config::key_of;

/// Characters of a text that stands for one of any length.
const LONG_TEXT: usize = 1 << 20;

/// A value that the file allows.
struct Witness {
    /// SQL.
    value: String,
    /// For messages.
    shown: String,
    /// Whether it is some value of its type like any other: NULL and empty text pass most CHECKs.
    is_ordinary: bool,
}

/// The CHECKs of a table that is there, and a copy of it with one row to try them on, made when it is first needed.
pub(super) struct Checks<'a> {
    live: &'a LiveTable,
    conditions: Vec<&'a str>,
    copy: OnceCell<Option<Compiler>>,
}

impl<'a> Checks<'a> {
    pub(super) fn of(live: &'a LiveTable) -> Checks<'a> {
        Checks { live, conditions: sql_text::check_conditions(&live.sql), copy: OnceCell::new() }
    }

    /// Those that may be about a column.
    fn naming(&self, column: &LiveColumn) -> impl Iterator<Item = &'a str> + use<'a> {
        let name = column.name.to_ascii_lowercase();
        self.conditions
            .clone()
            .into_iter()
            .filter(move |condition| condition.to_ascii_lowercase().contains(&name))
    }

    /// `None`: the table cannot be made again, as with functions of another program.
    fn copy(&self) -> Option<&Compiler> {
        let make = || {
            let compiler = Compiler::in_memory(std::slice::from_ref(&self.live.sql)).ok()?;
            compiler.change("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").ok()?;
            let given: Vec<_> = self.live.columns.iter().filter(|column| !column.computed).collect();
            let names: Vec<_> = given.iter().map(|column| quote(&column.name)).collect();
            let blanks: Vec<_> = given.iter().map(|column| blank(&column.declared_type)).collect();
            let insert = format!(
                "INSERT INTO {} ({}) VALUES ({})",
                quote(&self.live.name),
                names.join(", "),
                blanks.join(", ")
            );
            compiler.change(&insert).ok()?;
            Some(compiler)
        };
        self.copy.get_or_init(make).as_ref()
    }

    /// How many of these values, ordinary ones, a condition takes, and those that it refuses; `None` if it is not about this column alone.
    fn tried(
        &self,
        there: &LiveColumn,
        condition: &str,
        witnesses: Vec<Witness>,
    ) -> Option<(usize, Vec<Witness>)> {
        let compiler = self.copy()?;
        let (name, of) = (quote(&there.name), quote(&self.live.name));
        let fails = format!("SELECT 1 FROM (SELECT {name} FROM {of}) WHERE NOT ({condition})");
        compiler.compile(&fails).ok()?;
        let (mut passed, mut refused) = (0, Vec::new());
        for witness in witnesses {
            // What its type refuses is told otherwise.
            if compiler.change(&format!("UPDATE {of} SET {name} = {}", witness.value)).is_err() {
                continue;
            }
            match compiler.gives_row(&fails) {
                Ok(false) => passed += usize::from(witness.is_ordinary),
                // A function that takes no such value refuses it too.
                Ok(true) | Err(_) => refused.push(witness),
            }
        }
        Some((passed, refused))
    }
}

impl Found<'_> {
    /// Whether NULL is as the file has it.
    pub(super) fn null(&mut self, table: &Table, column: &Column, live: &LiveTable, there: &LiveColumn) {
        let (wanted, has) = (is_not_null(table, column), there.not_null || there.key_position > 0);
        let name = format!("{}.{}", table.sql_name, column.name);
        if wanted && !has {
            let message = format!("{name} may be NULL in the database; the file does not allow it");
            self.add(column_key(table, column), message, Means::Differs);
        }
        if has && !wanted {
            let message = format!("{name} is NOT NULL in the database; the file allows it to be left out");
            let is_never_null =
                column.read_only && (column.rules.default.is_some() || there.default.is_some());
            let remedy = format!("write required = true, or {}", self.anew(table, live));
            let means = if is_never_null { Means::Differs } else { Means::Wrong { remedy } };
            self.add(column_key(table, column), message, means);
        }
    }

    /// Whether CHECKs of a column refuse what the file allows.
    pub(super) fn conditions(
        &mut self,
        table: &Table,
        column: &Column,
        checks: &Checks<'_>,
        there: &LiveColumn,
    ) {
        let live = checks.live;
        let key = column_key(table, column);
        let name = format!("{}.{}", table.sql_name, column.name);
        let clause = check_clause(column);
        let mut is_told = false;
        for condition in checks.naming(there) {
            let text = format!("{}{condition})", check_begins(column));
            let is_ours = live.sql.contains(&text);
            if clause.as_deref() == Some(&text) || there.computed {
                continue;
            }
            let witnesses = witnesses(table, column);
            let Some((passed, refused)) = checks.tried(there, condition, witnesses) else { continue };
            let Some(witness) = refused.first() else { continue };
            is_told = true;
            let message = format!(
                "{name} has a CHECK in the database that refuses {}, which the file allows: {}",
                witness.shown,
                sql_text::one_line(condition)
            );
            // Where every ordinary value is refused, it asks for something that no rule of the file could say.
            let is_of_a_rule = column.rules.choices.is_some() || passed > 0 || witness.value == "NULL";
            let means = if is_ours || is_of_a_rule {
                let anew = self.anew(table, live);
                Means::Wrong { remedy: format!("bring the column's rules into line with it, or {anew}") }
            } else {
                Means::Differs
            };
            self.add(key.clone(), message, means);
        }
        let others = live.sql.contains(&check_begins(column));
        if !is_told && others && !clause.is_some_and(|clause| live.sql.contains(&clause)) {
            let message =
                format!("{name} has a CHECK in the database that is not the one of the file's rules");
            self.add(key, message, Means::Differs);
        }
    }

    /// Whether the database refuses rows that agree where the file lets them.
    pub(super) fn unique(&mut self, table: &Table, live: &LiveTable) {
        let key = live.columns.iter().filter(|column| column.key_position > 0);
        let key: Vec<Option<String>> = key.map(|column| Some(column.name.clone())).collect();
        self.unique_in(table, live, &key, None);
        for index in live.indexes.iter().filter(|index| index.unique && index.columns != key) {
            self.unique_in(table, live, &index.columns, Some(index));
        }
    }

    /// `index`: what makes these columns unique; `None`: the primary key.
    fn unique_in(
        &mut self,
        table: &Table,
        live: &LiveTable,
        names: &[Option<String>],
        index: Option<&LiveIndex>,
    ) {
        // An expression is nothing that the file could declare.
        let columns: Option<Vec<usize>> =
            names.iter().map(|name| declared(table, name.as_deref()?)).collect();
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { return };
        let condition = index.and_then(|index| index.condition.as_deref());
        let is_given = |column: &usize| {
            let column = &table.columns[*column];
            column.generated.is_none() && !column.read_only
        };
        if !columns.iter().all(is_given) || is_declared_unique(table, &columns, condition) {
            return;
        }
        let names: Vec<_> = columns.iter().map(|column| table.columns[*column].name.as_str()).collect();
        let (at, write) = match columns.as_slice() {
            [column] if condition.is_none() => {
                (column_key(table, &table.columns[*column]), "write unique = true".to_owned())
            }
            _ => {
                let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
                let of = condition
                    .map(|condition| format!(", where = {:?}", sql_text::one_line(condition)))
                    .unwrap_or_default();
                (
                    format!("{}.indexes", key_of("tables", &table.name)),
                    format!("add {{ columns = [{}], unique = true{of} }} to indexes", quoted.join(", ")),
                )
            }
        };
        let otherwise = match index.filter(|index| index.sql.is_some()) {
            Some(index) => format!("run DROP INDEX {}", quote(&index.name)),
            None => self.anew(table, live),
        };
        self.add(
            at,
            format!(
                "{} ({}) is unique in the database; the file lets rows agree in it",
                table.sql_name,
                names.join(", ")
            ),
            Means::Wrong { remedy: format!("{write}, or {otherwise}") },
        );
    }
}

fn declared(table: &Table, name: &str) -> Option<usize> {
    table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
}

/// Whether the file says that no two rows agree in these columns, or in some of them.
pub(super) fn is_declared_unique(table: &Table, columns: &[usize], condition: Option<&str>) -> bool {
    let are_among = |wanted: &[usize]| wanted.iter().all(|column| columns.contains(column));
    are_among(&table.key)
        || columns.iter().any(|column| table.columns[*column].unique)
        || table.indexes.iter().any(|index| {
            let same =
                index.condition.as_deref().map(sql_text::one_line) == condition.map(sql_text::one_line);
            index.unique && are_among(&index.columns) && (index.condition.is_none() || same)
        })
}

/// A value that a column of this type holds.
fn blank(declared_type: &str) -> &'static str {
    match declared_type.to_ascii_uppercase().as_str() {
        "TEXT" => "''",
        "BLOB" => "X''",
        _ => "0",
    }
}

/// Values at the ends of what the file allows, and some within.
fn witnesses(table: &Table, column: &Column) -> Vec<Witness> {
    let rules = &column.rules;
    let mut all = Vec::new();
    if !is_not_null(table, column) {
        all.push(Witness { value: "NULL".into(), shown: "NULL".into(), is_ordinary: false });
    }
    let values: Vec<String> = match (&rules.choices, rules.kind) {
        (Some(choices), kind) => choices.iter().filter_map(|choice| literal(kind, choice)).collect(),
        (None, Type::SmallInt) => integers(column, i64::from(i16::MIN), i64::from(i16::MAX)),
        (None, Type::Integer) => integers(column, i64::from(i32::MIN), i64::from(i32::MAX)),
        // SQL has no literal of the least one.
        (None, Type::BigInt) => integers(column, -i64::MAX, i64::MAX),
        (None, Type::Real) => reals(column, 3e38),
        (None, Type::Double) => reals(column, 1e300),
        (None, Type::Numeric) => reals(column, 1e300).iter().map(|value| quote_text(value)).collect(),
        (None, Type::Boolean) => vec!["0".into(), "1".into()],
        (None, Type::Timestamp) => vec!["'2026-11-24T02:00:00.123456Z'".into()],
        (None, Type::Date) => vec!["'2026-11-24'".into()],
        (None, Type::Uuid) => vec!["'01234567-89ab-cdef-0123-456789abcdef'".into()],
        (None, Type::Json) => vec!["'{}'".into(), "'null'".into()],
        (None, Type::Bytes) => vec!["X'00'".into()],
        (None, Type::Text) => {
            all.extend(texts(column));
            return all;
        }
    };
    all.extend(values.into_iter().map(|value| Witness { shown: value.clone(), value, is_ordinary: true }));
    all
}

fn integers(column: &Column, least: i64, most: i64) -> Vec<String> {
    let end = |rule: &Option<Bound>, otherwise: i64| match rule {
        Some(Bound::Integer(end)) => *end,
        _ => otherwise,
    };
    let (least, most) = (end(&column.rules.minimum, least), end(&column.rules.maximum, most));
    let within = [0, 1, least.midpoint(most)].into_iter().filter(|value| (least..=most).contains(value));
    [least, most].into_iter().chain(within).map(|value| value.to_string()).collect()
}

fn reals(column: &Column, most: f64) -> Vec<String> {
    let end = |rule: &Option<Bound>, otherwise: f64| match rule {
        Some(Bound::Integer(end)) => *end as f64,
        Some(Bound::Real(end)) => *end,
        None => otherwise,
    };
    let rules = &column.rules;
    let ends = [(&rules.minimum, -most), (&rules.maximum, most)];
    let (least, most) = (end(ends[0].0, ends[0].1), end(ends[1].0, ends[1].1));
    let within = [0.0, 1.0, least.midpoint(most)].into_iter().filter(|value| (least..=most).contains(value));
    // Rounded as the column's values are.
    [least, most].into_iter().chain(within).map(|value| bound(rules.kind, &Bound::Real(value))).collect()
}

/// The shortest text, the longest, and one between.
fn texts(column: &Column) -> impl Iterator<Item = Witness> + use<> {
    let rules = &column.rules;
    let is_email = rules.format == Some(Format::Email);
    // The shortest address is x@x.
    let shortest = rules.min_length.unwrap_or(0).max(if is_email { 3 } else { 0 });
    let longest = rules.max_length.unwrap_or(LONG_TEXT).clamp(shortest, LONG_TEXT.max(shortest));
    let between = shortest.midpoint(longest.min(shortest + 20));
    [shortest, longest, between].into_iter().map(move |length| {
        let text = if is_email { "x".repeat(length - 2) + "@x" } else { "x".repeat(length) };
        let shown = match length {
            0 => "empty text".to_owned(),
            1..=20 => quote_text(&text),
            _ => format!("a text of {length} characters"),
        };
        Witness { value: quote_text(&text), shown, is_ordinary: length > 0 }
    })
}
