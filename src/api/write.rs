//! A table's writes: create, update (PUT and PATCH) and delete. Each is one job.
//!
//! A key is given once: PUT and PATCH may repeat it, as any column that may not be written, but not change it.

use crate::config::plan::{ColumnIndex, Type};
use crate::config::time;
use ringmill_sqlite::{Class, Job, Rows, Statement, Value};

use super::body::Slots;
use super::convert::{self, number};
use super::exchange::{Answer, Asked, Change, Linked, Request};
use super::faults::Faults;
use super::read::Question;
use super::refuse;
use super::router::Found;
use super::table::{Column, Source, Table};
use super::template::{Filling, each_row};
use super::words;

/// What an update does with columns that were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// PUT: a column that is returned gets its default or NULL, or is missed if it is required.
    Replace,
    /// PATCH: they keep their values.
    Patch,
}

impl Table {
    pub(super) fn begin_create(&self, request: &Request<'_>) -> Question {
        let slots = self.slots(request)?;
        let mut faults = Faults::default();
        let mut values: Vec<Option<Value>> = vec![None; self.columns.len()];
        for (index, column) in self.columns.iter().enumerate() {
            if slots.is_twice(index) {
                faults.add(&column.name, words::TWICE);
            }
            match slots.given[index] {
                Some(_) if !column.settable => faults.add(&column.name, words::NOT_SETTABLE),
                Some(raw) => values[index] = self.accept(index, raw, &mut faults),
                None if column.settable && column.rule.required && column.rule.default.is_none() => {
                    faults.add_missing(&column.name);
                }
                None => {}
            }
        }
        // A default refers too, and may be a part of the key.
        let value_of = |index: ColumnIndex| {
            let column = &self.columns[index];
            values[index].as_ref().or(column.rule.default.as_ref().filter(|_| column.settable))
        };
        if let Some(column) = self.too_long_for_path(value_of) {
            faults.add(&column.name, words::TOO_LONG_FOR_PATH);
        }
        faults.append(slots.into_unknown());
        if !faults.is_empty() {
            return Err(self.invalid(&faults).into());
        }
        let linked = self.linked(value_of);
        let parameter = |(column, source): &(ColumnIndex, Source)| {
            let rule = &self.columns[*column].rule;
            let default = || rule.default.clone().unwrap_or(Value::Null);
            match source {
                Source::Client => values[*column].take().unwrap_or_else(default),
                Source::Default => default(),
                Source::Now => instant(rule.kind, request.now_unix_us),
                Source::Random => Value::Text(convert::uuid_of((request.random)())),
            }
        };
        let parameters = self.inserted.iter().map(parameter).collect();
        let statements = vec![Statement { sql: self.statements.insert.clone(), parameters }];
        Ok((Job::new(Class::Write, statements), Asked::Create { linked }))
    }

    /// The part of a new row's key to blame if no path could lead to the row.
    fn too_long_for_path<'a>(&self, value_of: impl Fn(ColumnIndex) -> Option<&'a Value>) -> Option<&Column> {
        let room = self.key_room.as_ref()?;
        let part = |column: &ColumnIndex| Some((self.columns[*column].rule.kind, value_of(*column)?));
        let parts: Vec<_> = room.key.iter().map(part).collect();
        Some(&self.columns[room.key[room.too_long(&parts)?]])
    }

    pub(super) fn finish_create(&self, results: &[Rows]) -> Answer {
        let row = results.first().and_then(|rows| each_row(rows).next());
        if row.is_none() && !results.first().is_some_and(is_hit) {
            let faults = Faults::default();
            let cause = "a trigger of the database passed over the row, with RAISE(IGNORE)";
            return self.invalid(&faults).refused_for(cause, &faults);
        }
        let answer = self.render(201, &self.templates.create, &Filling { row, ..Filling::default() });
        Answer { location: row.and_then(|row| self.location_of(row)), ..answer }
    }

    pub(super) fn begin_update(&self, update: Update, found: &Found<'_>, request: &Request<'_>) -> Question {
        let key = self.key_of(found).ok_or_else(|| self.not_found())?;
        let slots = self.slots(request)?;
        let mut faults = Faults::default();
        let mut set: Vec<Option<Value>> = vec![None; self.columns.len()];
        let mut fixed = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            if slots.is_twice(index) {
                faults.add(&column.name, words::TWICE);
            }
            let replaced = update == Update::Replace && !column.hidden;
            match slots.given[index] {
                Some(raw) if self.fixed.contains(&index) => match convert::typed(column.rule.kind, raw) {
                    Ok(value) => fixed.push((index, value)),
                    Err(message) => faults.add(&column.name, message),
                },
                Some(raw) => set[index] = self.accept(index, raw, &mut faults),
                None if replaced && self.updated.contains(&index) => match &column.rule.default {
                    Some(default) => set[index] = Some(default.clone()),
                    None if column.rule.required => faults.add_missing(&column.name),
                    None => set[index] = Some(Value::Null),
                },
                None => {}
            }
        }
        faults.append(slots.into_unknown());
        if !faults.is_empty() {
            return Err(self.invalid(&faults).into());
        }
        let job = self.update_job(&key, &mut set, &fixed, request.now_unix_us);
        Ok((job.0, Asked::Update { key, linked: job.1, fixed, change: job.2 }))
    }

    /// The UPDATE; behind it the row, if something was given that only the row can tell to be right. Without anything to
    /// set just the row.
    fn update_job(
        &self,
        key: &[Value],
        set: &mut [Option<Value>],
        fixed: &[(ColumnIndex, Value)],
        now_unix_us: i64,
    ) -> (Job, Linked, Change) {
        let get = Statement { sql: self.statements.get_guarded.clone(), parameters: key.to_vec() };
        if set.iter().all(Option::is_none) {
            return (Job::new(Class::ReadByKey, vec![get]), Linked::default(), Change::Nothing);
        }
        let linked = self.linked(|index| set[index].as_ref());
        let mut parameters = Vec::new();
        for column in &self.updated {
            let value = set[*column].take();
            parameters.push(Value::Integer(i64::from(value.is_some())));
            parameters.push(value.unwrap_or(Value::Null));
        }
        for column in &self.touched {
            let kind = self.columns[*column].rule.kind;
            parameters.push(instant(kind, now_unix_us));
            parameters.push(instant(kind, now_unix_us.saturating_add(1)));
        }
        parameters.extend_from_slice(key);
        let statements = if fixed.is_empty() {
            vec![Statement { sql: self.statements.update.clone(), parameters }]
        } else {
            for column in &self.fixed {
                let given = fixed.iter().find(|(index, _)| index == column);
                let given = given.map(|(_, value)| self.comparable(*column, value));
                parameters.push(Value::Integer(i64::from(given.is_some())));
                parameters.push(given.unwrap_or(Value::Null));
            }
            vec![Statement { sql: self.statements.update_guarded.clone(), parameters }, get]
        };
        (Job::new(Class::Write, statements), linked, Change::Some)
    }

    pub(super) fn finish_update(
        &self,
        fixed: &[(ColumnIndex, Value)],
        change: Change,
        results: &[Rows],
    ) -> Answer {
        if change == Change::Some && results.first().is_some_and(is_hit) {
            let row = results.first().and_then(|rows| each_row(rows).next());
            return self.render(200, &self.templates.update, &Filling { row, ..Filling::default() });
        }
        let row = match change {
            Change::Some => results.get(1),
            Change::Nothing => results.first(),
        };
        let Some(row) = row.and_then(|rows| each_row(rows).next()) else { return self.not_found() };
        let differing = self.differing(fixed, row);
        if differing.is_empty() && change == Change::Nothing {
            return self.render(
                200,
                &self.templates.update,
                &Filling { row: Some(row), ..Filling::default() },
            );
        }
        let mut faults = Faults::default();
        // Should the row agree by now in our eyes but not in the statement's, all are named.
        let all: Vec<_> = fixed.iter().map(|(column, _)| *column).collect();
        for column in if differing.is_empty() { &all } else { &differing } {
            faults.add(&self.columns[*column].name, words::NOT_CHANGEABLE);
        }
        self.invalid(&faults)
    }

    /// Which of the given values the row does not have; `row` ends with the fixed columns.
    fn differing(&self, given: &[(ColumnIndex, Value)], row: &[Value]) -> Vec<ColumnIndex> {
        let cells = &row[row.len().saturating_sub(self.fixed.len())..];
        let differs = |column: &ColumnIndex, value: &Value| {
            let cell = self.fixed.iter().position(|fixed| fixed == column).and_then(|index| cells.get(index));
            cell.is_none_or(|cell| self.comparable(*column, cell) != self.comparable(*column, value))
        };
        given.iter().filter(|(column, value)| differs(column, value)).map(|(column, _)| *column).collect()
    }

    /// What equal values of a column have in common.
    fn comparable(&self, column: ColumnIndex, value: &Value) -> Value {
        match (self.columns[column].rule.kind, value) {
            (Type::Numeric, Value::Text(digits)) => Value::Text(number::without_zeros(digits).to_owned()),
            _ => value.clone(),
        }
    }

    pub(super) fn begin_delete(&self, found: &Found<'_>) -> Question {
        let key = self.key_of(found).ok_or_else(|| self.not_found())?;
        let statements = vec![Statement { sql: self.statements.delete.clone(), parameters: key.clone() }];
        Ok((Job::new(Class::Write, statements), Asked::Delete { key }))
    }

    pub(super) fn finish_delete(&self, results: &[Rows]) -> Answer {
        if !results.first().is_some_and(is_hit) {
            return self.not_found();
        }
        let row = results.first().and_then(|rows| each_row(rows).next());
        self.render(200, &self.templates.delete, &Filling { row, ..Filling::default() })
    }

    fn slots<'a>(&self, request: &Request<'a>) -> Result<Slots<'a>, Box<Answer>> {
        Slots::new(request.content_type, request.body, self.columns.len(), &self.names)
            .map_err(|refusal| refuse::body(refusal, |faults| self.invalid(faults)).into())
    }

    fn accept(&self, index: ColumnIndex, raw: &str, faults: &mut Faults) -> Option<Value> {
        let column = &self.columns[index];
        match column.rule.value_of_json(raw) {
            Ok(Value::Null) if column.rule.required => faults.add_missing(&column.name),
            Ok(value) => return Some(value),
            Err(messages) => messages.into_iter().for_each(|message| faults.add(&column.name, message)),
        }
        None
    }

    fn linked<'a>(&self, value_of: impl Fn(ColumnIndex) -> Option<&'a Value>) -> Linked {
        let mut linked = Linked::default();
        for (index, column) in self.columns.iter().enumerate() {
            let Some(value) = value_of(index) else { continue };
            if column.refers && *value != Value::Null {
                linked.referring.push(index);
            }
            if column.is_referred {
                linked.referred.push(index);
            }
        }
        linked
    }
}

/// Whether a write met a row.
fn is_hit(rows: &Rows) -> bool {
    if rows.columns > 0 { !rows.cells.is_empty() } else { rows.changed > 0 }
}

/// The time as a column of this type stores it.
fn instant(kind: Type, unix_us: i64) -> Value {
    let text = match kind {
        Type::Date => time::format_date(unix_us),
        _ => time::format_timestamp(unix_us),
    };
    text.map_or(Value::Null, Value::Text)
}
