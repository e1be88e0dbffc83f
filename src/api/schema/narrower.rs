//! Rules of the database that are narrower than the file's: a value that the file allows and the database refuses. Whether a CHECK
//! is, is not guessed from its text: values that the file allows are tried on it.

use crate::config::plan::{Column, OnDelete, Reference, Table};
use ringmill_sqlite::{Compiler, LiveColumn, LiveIndex, LiveTable};
use std::cell::OnceCell;

use super::differences::{Found, Means, column_key};
use super::witnesses::{Verdict, Witness, judge, witnesses};
use super::{check_begins, check_clause, form_clause, is_not_null};
use crate::api::sql::quote;
use crate::api::sql_text;
use crate::config::key_of;

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

    /// Which of these values a condition takes; `None` if it is not about this column alone.
    fn tried(
        &self,
        there: &LiveColumn,
        condition: &str,
        witnesses: Vec<Witness>,
    ) -> Option<Vec<(Witness, bool)>> {
        let compiler = self.copy()?;
        let (name, of) = (quote(&there.name), quote(&self.live.name));
        let fails = format!("SELECT 1 FROM (SELECT {name} FROM {of}) WHERE NOT ({condition}\n)");
        compiler.compile(&fails).ok()?;
        let mut tried = Vec::new();
        for witness in witnesses {
            // What its type refuses is told otherwise.
            if compiler.change(&format!("UPDATE {of} SET {name} = {}", witness.value)).is_err() {
                continue;
            }
            // A function that takes no such value refuses it too.
            let is_taken = compiler.gives_row(&fails) == Ok(false);
            tried.push((witness, is_taken));
        }
        Some(tried)
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
        // What the database computes nobody leaves out.
        if has && !wanted && !there.computed {
            let message = format!("{name} is NOT NULL in the database; the file allows it to be left out");
            let is_never_null =
                column.read_only && (column.rules.default.is_some() || there.default.is_some());
            let is_set_null = |reference: &Reference| reference.on_delete == OnDelete::SetNull;
            let write = match column.references.as_ref().is_some_and(is_set_null) {
                // A DELETE of what it refers to would be refused, whatever the file says.
                true => "write required = true and remove `references`",
                false => "write required = true",
            };
            let remedy = format!("{write}, or {}", self.anew(table, live));
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
        let (clause, form) = (check_clause(column), form_clause(column));
        let (mut is_told, mut has_another) = (false, false);
        for condition in checks.naming(there) {
            let text = format!("{}{condition})", check_begins(column));
            let is_ours = live.sql.contains(&text);
            if form.as_deref() == Some(&text) {
                continue;
            }
            has_another |= is_ours;
            if clause.as_deref() == Some(&text) || there.computed {
                continue;
            }
            let witnesses = witnesses(table, column, condition);
            let Some(tried) = checks.tried(there, condition, witnesses) else { continue };
            let Some((witness, verdict)) = judge(&tried, condition) else { continue };
            is_told = true;
            let message = format!(
                "{name} has a CHECK in the database that refuses {}, which the file allows: {}",
                witness.shown,
                sql_text::one_line(condition)
            );
            let means = if is_ours || verdict == Verdict::CanBeSaid {
                let anew = self.anew(table, live);
                Means::Wrong { remedy: format!("bring the column's rules into line with it, or {anew}") }
            } else {
                Means::Differs
            };
            self.add(key.clone(), message, means);
        }
        if !is_told && has_another && !clause.is_some_and(|clause| live.sql.contains(&clause)) {
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
