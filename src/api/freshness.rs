//! What the answer of a read depends on and what a write changes, as slots of the board; and the key under which an answer is
//! kept. All three are made of the request alone, but for a write, whose answer may name the row.
//!
//! | tag | who carries it | who raises it |
//! |---|---|---|
//! | a row | its item; an endpoint whose `reads` names it | a write that knows the row |
//! | all rows of a table | with a row's | a write that does not know which rows |
//! | any row of a table | lists, endpoints | every write to it |
//! | anything | what reads through a module of the database, such as a full-text index | every write |
//!
//! Where it is not certain that two ways to write a key are one row only if they are one value (another collation, a column of
//! another type in the database), all rows of a table share one tag. Where a write may change more rows of its own table than the
//! one it names (triggers, references that lead back, REPLACE), it does not know which rows.

use crate::config::plan::{CacheRule, Type};
use ringmill_cache::Slots;
use ringmill_sqlite::{Job, Rows, Value};
use smallvec::SmallVec;

use super::exchange::{Asked, Pending};
use super::table::Table;
use super::verify::{TableRef, Tag};
use super::{Api, Kind};

/// A hash that nobody outside can foresee, the same on all cores.
pub type Hash<'a> = &'a dyn Fn(&[u8]) -> u64;

/// Which rows of a table a tag stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Row = 0,
    All = 1,
    Any = 2,
    Anything = 3,
}

type Bytes = SmallVec<[u8; 64]>;

impl Api {
    /// How long the answer lives; `None`: it is not kept.
    pub fn cache_rule(&self, pending: &Pending) -> Option<&CacheRule> {
        let terms = &self.operations[pending.operation].terms;
        terms.cache.as_ref().filter(|_| !terms.writes)
    }

    /// Whether the request may change rows.
    pub fn is_write(&self, pending: &Pending) -> bool {
        self.operations[pending.operation].terms.writes
    }

    /// Appends the bytes that two requests have in common if and only if one answer is for both.
    pub fn append_key(&self, job: &Job, pending: &Pending, out: &mut Vec<u8>) {
        out.extend_from_slice(&(pending.operation as u32).to_le_bytes());
        let mut append = |values: &[Value]| {
            let mut bytes = Bytes::new();
            values.iter().for_each(|value| append_value(&mut bytes, value, Exactly::AsItIs));
            out.extend_from_slice(&bytes);
        };
        match &pending.asked {
            // A page beyond what a database can count to begins where that ends.
            Asked::List { page, per_page } => append(&[Value::Integer(*page), Value::Integer(*per_page)]),
            Asked::Sql { parameters } => append(parameters),
            _ => job.statements.iter().for_each(|statement| append(&statement.parameters)),
        }
    }

    /// What the answer to a read depends on.
    pub fn depends_on(&self, job: &Job, pending: &Pending, hash: Hash<'_>) -> Slots {
        let operation = &self.operations[pending.operation];
        let mut slots = Slots::new();
        let own = match operation.kind {
            Kind::Get(table) => {
                let key = job.statements.first().map(|statement| statement.parameters.as_slice());
                self.add_row(&mut slots, table, key.unwrap_or_default(), hash);
                Some(table)
            }
            Kind::List(table) => {
                slots.push(slot(hash, Which::Any, &TableRef::Declared(table), &[]));
                Some(table)
            }
            _ => None,
        };
        if operation.terms.touched.reads_anything {
            slots.push(slot(hash, Which::Anything, &TableRef::Declared(0), &[]));
        }
        for tag in &operation.terms.touched.reads {
            if own.is_some_and(|own| tag.table == TableRef::Declared(own)) {
                continue;
            }
            let row = tag.rows.as_deref().and_then(|rows| self.row_of(tag, rows, pending, None));
            match (row, &tag.table) {
                (Some(key), TableRef::Declared(table)) => self.add_row(&mut slots, *table, &key, hash),
                _ => slots.push(slot(hash, Which::Any, &tag.table, &[])),
            }
        }
        slots
    }

    /// What a write has changed, or may have. `results` are those of its job; without them it may have changed whatever it
    /// can change.
    pub fn changes(&self, pending: &Pending, results: Option<&[Rows]>, hash: Hash<'_>) -> Slots {
        let operation = &self.operations[pending.operation];
        let touched = &operation.terms.touched;
        let mut slots = Slots::new();
        let own = match operation.kind {
            Kind::Create(table) | Kind::Put(table) | Kind::Patch(table) | Kind::Delete(table) => {
                let key = match (&pending.asked, results) {
                    (Asked::Update { key, .. } | Asked::Delete { key }, _) => Some(key.clone()),
                    (Asked::Create { .. }, Some(results)) => self.tables[table].created_key(results),
                    _ => None,
                };
                let key = key.filter(|_| touched.knows_rows);
                self.add_changed(&mut slots, &TableRef::Declared(table), key.as_deref(), hash);
                Some(table)
            }
            _ => None,
        };
        if self.operations.iter().any(|operation| operation.terms.touched.reads_anything) {
            slots.push(slot(hash, Which::Anything, &TableRef::Declared(0), &[]));
        }
        for tag in &touched.writes {
            if own.is_some_and(|own| tag.table == TableRef::Declared(own)) {
                continue;
            }
            let rows = tag.rows.as_deref().filter(|_| touched.knows_rows);
            let key = rows.and_then(|rows| self.row_of(tag, rows, pending, results));
            self.add_changed(&mut slots, &tag.table, key.as_deref(), hash);
        }
        slots
    }

    fn add_row(&self, slots: &mut Slots, table: usize, key: &[Value], hash: Hash<'_>) {
        let table_ref = TableRef::Declared(table);
        let key = if self.tables[table].has_exact_key { key } else { &[] };
        slots.push(slot(hash, Which::Row, &table_ref, key));
        slots.push(slot(hash, Which::All, &table_ref, &[]));
    }

    /// `key` is that of the one row that was changed, if it is known.
    fn add_changed(&self, slots: &mut Slots, table: &TableRef, key: Option<&[Value]>, hash: Hash<'_>) {
        match (key, table) {
            (Some(key), TableRef::Declared(index)) => {
                let key = if self.tables[*index].has_exact_key { key } else { &[] };
                slots.push(slot(hash, Which::Row, table, key));
            }
            _ => slots.push(slot(hash, Which::All, table, &[])),
        }
        slots.push(slot(hash, Which::Any, table, &[]));
    }

    /// The key of the row that `users/{id}` names: of parameters, or of the answer's row. `None`: it cannot be told.
    fn row_of(
        &self,
        tag: &Tag,
        rows: &str,
        pending: &Pending,
        results: Option<&[Rows]>,
    ) -> Option<Vec<Value>> {
        let (Kind::Sql(index), Asked::Sql { parameters }) =
            (self.operations[pending.operation].kind, &pending.asked)
        else {
            return None;
        };
        let TableRef::Declared(table) = tag.table else { return None };
        let (endpoint, table) = (&self.statements[index], &self.tables[table]);
        let parts: Vec<_> = rows.split('/').collect();
        if parts.len() != table.key.len() {
            return None;
        }
        let value = |(part, key): (&&str, &super::table::KeyColumn)| {
            let name = part.strip_prefix('{')?.strip_suffix('}')?;
            let value = endpoint
                .parameter(name, parameters)
                // Of several rows only the first would be known.
                .or_else(|| endpoint.cell(name, results.filter(|results| is_one_row(results))?))
                .filter(|value| is_stored_as(value, table.columns[key.column].rule.kind))?;
            Some(value.clone())
        };
        parts.iter().zip(&table.key).map(value).collect()
    }
}

impl Table {
    /// Whether equal values of the key's types are the same bytes.
    pub(super) fn has_comparable_key(&self) -> bool {
        self.key.iter().all(|key| !matches!(self.columns[key.column].rule.kind, Type::Numeric | Type::Json))
    }

    /// The key of the row that an INSERT returned.
    fn created_key(&self, results: &[Rows]) -> Option<Vec<Value>> {
        let rows = results.first()?;
        let row = rows.cells.get(..rows.columns)?;
        let cells = self.created_key.as_ref()?.iter().map(|cell| row.get(*cell));
        // As the database stores it, which a path may write otherwise if its column is of another type.
        let is_exact = |(cell, key): (Option<&Value>, &super::table::KeyColumn)| {
            cell.filter(|value| is_stored_as(value, self.columns[key.column].rule.kind)).cloned()
        };
        cells.zip(&self.key).map(is_exact).collect()
    }
}

/// Whether the answer is one row, or none.
fn is_one_row(results: &[Rows]) -> bool {
    results.first().is_some_and(|rows| rows.cells.len() <= rows.columns)
}

/// Whether a value is what such a column stores: another one may be equal to it without being the same.
fn is_stored_as(value: &Value, kind: Type) -> bool {
    match value {
        Value::Integer(_) => matches!(kind, Type::SmallInt | Type::Integer | Type::BigInt | Type::Boolean),
        Value::Real(_) => matches!(kind, Type::Real | Type::Double),
        Value::Text(_) => matches!(kind, Type::Text | Type::Timestamp | Type::Date | Type::Uuid),
        Value::Blob(_) => kind == Type::Bytes,
        Value::Null => false,
    }
}

fn slot(hash: Hash<'_>, which: Which, table: &TableRef, key: &[Value]) -> u16 {
    let mut bytes = Bytes::new();
    bytes.push(which as u8);
    match table {
        TableRef::Declared(index) => {
            bytes.push(0);
            bytes.extend_from_slice(&(*index as u32).to_le_bytes());
        }
        TableRef::Other(name) => {
            bytes.push(1);
            bytes.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        }
    }
    key.iter().for_each(|value| append_value(&mut bytes, value, Exactly::AsCompared));
    (hash(&bytes) >> 48) as u16
}

/// Whether values that a database takes for equal have to have the same bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exactly {
    AsItIs,
    AsCompared,
}

fn append_value(bytes: &mut Bytes, value: &Value, exactly: Exactly) {
    let mut sized = |kind: u8, content: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
        bytes.extend_from_slice(content);
    };
    match value {
        Value::Text(text) => sized(3, text.as_bytes()),
        Value::Blob(content) => sized(4, content),
        Value::Null => bytes.push(0),
        Value::Integer(number) => {
            bytes.push(1);
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        Value::Real(number) => {
            bytes.push(2);
            // Adding makes the negative zero positive.
            let number = if exactly == Exactly::AsCompared { number + 0.0 } else { *number };
            bytes.extend_from_slice(&number.to_bits().to_le_bytes());
        }
    }
}
