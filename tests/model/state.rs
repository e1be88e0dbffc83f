//! The model: what tables hold, and what they must answer to a request.

use crate::file::{Column, File, Generated, OnDelete, Table};
use crate::replies::Filling;
use crate::request::{Ask, Body, Field, Operation};
use crate::value::{Cell, Input, Kind, random_uuid, string, timestamp};
use std::cmp::Ordering;

pub(crate) type Row = Vec<Cell>;

/// An answer: what clients see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) location: Option<String>,
    pub(crate) allow: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) rows: Vec<Vec<Row>>,
    next: Vec<i64>,
}

/// What may happen: an answer, and what is there then. Several where the database may look at constraints in any order.
pub(crate) type Outcomes = Vec<(Answer, State)>;

pub(crate) const INVALID_JSON: &str = r#"{"error":"Invalid JSON","detail":"#;

fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer { status, body: body.into(), location: None, allow: None }
}

/// Faults in their order: field, words.
#[derive(Default)]
struct Errors {
    fields: Vec<(String, Vec<String>)>,
    is_missing: bool,
}

impl Errors {
    fn add(&mut self, name: &str, words: impl Into<String>) {
        let words = words.into();
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => all.extend(Some(words.clone()).filter(|words| !all.contains(words))),
            None => self.fields.push((name.to_owned(), vec![words])),
        }
    }

    fn missing(&mut self, name: &str) {
        self.is_missing = true;
        self.add(name, "is required");
    }

    fn text(&self) -> String {
        let fields = self.fields.iter().map(|(name, words)| {
            let words: Vec<_> = words.iter().map(|words| string(words)).collect();
            format!("{}:[{}]", string(name), words.join(","))
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

/// A request against what is there.
pub(crate) struct Judge<'a> {
    pub(crate) file: &'a File,
    pub(crate) state: &'a State,
    pub(crate) ask: &'a Ask,
}

impl State {
    pub(crate) fn new(file: &File) -> State {
        State { rows: vec![Vec::new(); file.tables.len()], next: vec![1; file.tables.len()] }
    }
}

impl Judge<'_> {
    pub(crate) fn outcomes(&self) -> Outcomes {
        let ask = self.ask;
        let table = &self.file.tables[ask.table];
        let same = |answer: Answer| vec![(answer, self.state.clone())];
        match &ask.operation {
            Operation::Unknown => same(answer(404, r#"{"error":"Not found"}"#)),
            Operation::Dump => same(self.dump()),
            Operation::List { page, per_page } if table.allows(0) => same(self.list(*page, *per_page)),
            Operation::Create if table.allows(2) => self.create(),
            Operation::Get(key) if table.allows(1) => same(self.get(key.as_deref())),
            Operation::Put(key) if table.allows(3) => self.update(key.as_deref(), true),
            Operation::Patch(key) if table.allows(3) => self.update(key.as_deref(), false),
            Operation::Delete(key) if table.allows(4) => self.delete(key.as_deref()),
            Operation::OptionsOfList => same(self.options(true, true)),
            Operation::OptionsOfItem => same(self.options(false, true)),
            Operation::List { .. } | Operation::Create => same(self.options(true, false)),
            _ => same(self.options(false, false)),
        }
    }

    fn table(&self) -> &Table {
        &self.file.tables[self.ask.table]
    }

    fn rows(&self) -> &[Row] {
        &self.state.rows[self.ask.table]
    }

    /// What a path says to a method that it does not have, or to OPTIONS.
    fn options(&self, is_list: bool, is_options: bool) -> Answer {
        let methods: &[(&str, usize)] = if is_list {
            &[("GET", 0), ("HEAD", 0), ("POST", 2)]
        } else {
            &[("GET", 1), ("HEAD", 1), ("PUT", 3), ("PATCH", 3), ("DELETE", 4)]
        };
        let there = methods.iter().filter(|(_, operation)| self.table().allows(*operation));
        let mut names: Vec<&str> = there.map(|(name, _)| *name).collect();
        if names.is_empty() {
            return answer(404, r#"{"error":"Not found"}"#);
        }
        names.push("OPTIONS");
        let refusal =
            if is_options { answer(204, "") } else { answer(405, r#"{"error":"Method not allowed"}"#) };
        Answer { allow: Some(names.join(", ")), ..refusal }
    }

    fn render(&self, status: u16, reply: &crate::file::Reply, filling: &Filling<'_>) -> Answer {
        answer(status, self.table().render(reply, filling))
    }

    fn not_found(&self) -> Answer {
        self.render(404, &self.table().replies.not_found, &Filling::default())
    }

    fn invalid(&self, errors: &Errors) -> Answer {
        let replies = &self.table().replies;
        let reply = if errors.is_missing { &replies.missing } else { &replies.invalid };
        self.render(400, reply, &Filling { errors: &errors.text(), ..Filling::default() })
    }

    fn sorted(&self, order: &[(usize, bool)]) -> Vec<&[Cell]> {
        let table = self.table();
        let mut rows: Vec<&[Cell]> = self.rows().iter().map(Vec::as_slice).collect();
        rows.sort_by(|left, right| {
            let compared = order.iter().map(|(column, is_down)| {
                let order = table.columns[*column].kind.order(&left[*column], &right[*column]);
                if *is_down { order.reverse() } else { order }
            });
            // Numbers that are equal but not the same: by their text.
            let texts = table.key.iter().map(|column| Kind::Text.order(&left[*column], &right[*column]));
            compared.chain(texts).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        rows
    }

    fn list(&self, page: Option<u64>, per_page: Option<u64>) -> Answer {
        let table = self.table();
        let mut order = table.order.clone().unwrap_or_default();
        order.extend(table.key.iter().map(|column| (*column, false)));
        let rows = self.sorted(&order);
        let page = page.unwrap_or(1);
        let per_page = per_page
            .map_or(table.page.0, |rows| usize::try_from(rows).unwrap_or(usize::MAX))
            .min(table.page.1);
        let skipped = usize::try_from(page - 1).unwrap_or(usize::MAX).saturating_mul(per_page);
        let shown: Vec<&[Cell]> = rows.iter().copied().skip(skipped).take(per_page).collect();
        let filling = Filling { rows: &shown, total: rows.len(), page, per_page, ..Filling::default() };
        self.render(200, &table.replies.list, &filling)
    }

    /// All columns, hidden ones too, by key as text and numbers have it.
    fn dump(&self) -> Answer {
        let table = self.table();
        let mut rows: Vec<&Row> = self.rows().iter().collect();
        rows.sort_by(|left, right| {
            let mut compared =
                table.key.iter().map(|column| Kind::Text.order(&left[*column], &right[*column]));
            compared.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        let rows = rows.iter().map(|row| {
            let fields = table.columns.iter().zip(row.iter());
            let fields =
                fields.map(|(column, cell)| format!("{}:{}", string(&column.name), column.kind.show(cell)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        });
        answer(200, format!("[{}]", rows.collect::<Vec<_>>().join(",")))
    }

    fn find(&self, key: Option<&[Cell]>) -> Option<usize> {
        let key = key?;
        let columns = &self.table().key;
        self.rows().iter().position(|row| columns.iter().zip(key).all(|(column, cell)| row[*column] == *cell))
    }

    fn get(&self, key: Option<&[Cell]>) -> Answer {
        match self.find(key) {
            Some(row) => answer(200, self.table().shown(&self.rows()[row])),
            None => self.not_found(),
        }
    }

    /// The fields of the body, or the answer to a body without any.
    fn fields(&self) -> Result<&[Field], Answer> {
        match &self.ask.body {
            Body::OtherType(_) => Err(answer(415, r#"{"error":"Content-Type must be application/json"}"#)),
            Body::NoJson(_) => Err(answer(400, INVALID_JSON)),
            Body::NoObject(_) => {
                let mut errors = Errors::default();
                errors.add("body", "must be an object");
                Err(self.invalid(&errors))
            }
            Body::Fields(fields) => Ok(fields),
        }
    }

    /// What was given for a column last, and whether more than once.
    fn given(fields: &[Field], column: usize) -> (Option<&Input>, bool) {
        let mut given = fields.iter().filter(|field| field.column == Ok(column)).map(|field| &field.input);
        let (first, last) = (given.next(), given.next_back());
        (last.or(first), last.is_some())
    }

    fn accept(&self, at: usize, input: &Input, errors: &mut Errors) -> Option<Cell> {
        let column = &self.table().columns[at];
        let in_key = self.table().key.contains(&at);
        match &input.outcome {
            Err(words) => errors.add(&column.name, *words),
            Ok(Cell::Null) if column.required || in_key => errors.missing(&column.name),
            Ok(Cell::Null) => return Some(Cell::Null),
            Ok(cell) => {
                let broken = column.broken_by(input, in_key);
                if broken.is_empty() {
                    return Some(cell.clone());
                }
                broken.into_iter().for_each(|words| errors.add(&column.name, words));
            }
        }
        None
    }

    fn add_unknown(fields: &[Field], errors: &mut Errors) {
        for field in fields {
            if let Err(name) = &field.column {
                errors.add(name, "is unknown");
            }
        }
    }

    fn create(&self) -> Outcomes {
        let table = self.table();
        let refused = |answer| vec![(answer, self.state.clone())];
        let fields = match self.fields() {
            Ok(fields) => fields,
            Err(answer) => return refused(answer),
        };
        let mut errors = Errors::default();
        let mut values: Vec<Option<Cell>> = vec![None; table.columns.len()];
        for (at, column) in table.columns.iter().enumerate() {
            let (given, is_twice) = Judge::given(fields, at);
            if is_twice {
                errors.add(&column.name, "is given twice");
            }
            match given {
                Some(_) if !column.is_settable() => errors.add(&column.name, "may not be set"),
                Some(input) => values[at] = self.accept(at, input, &mut errors),
                None => {
                    let is_needed = column.required || table.key.contains(&at);
                    if is_needed && column.is_settable() && column.default.is_none() {
                        errors.missing(&column.name);
                    }
                }
            }
        }
        Judge::add_unknown(fields, &mut errors);
        if !errors.fields.is_empty() {
            return refused(self.invalid(&errors));
        }
        let mut after = self.state.clone();
        let row: Row = table
            .columns
            .iter()
            .zip(values)
            .map(|(column, value)| match column.generated {
                Some(Generated::Identity) => Cell::Integer(after.next[self.ask.table]),
                Some(Generated::Uuid) => Cell::Text(random_uuid(self.ask.random)),
                Some(Generated::OnCreate | Generated::OnWrite) => Cell::Text(timestamp(self.ask.now_unix_us)),
                None => value.unwrap_or_else(|| default(column)),
            })
            .collect();
        let taken = self.taken(&row, None);
        if !taken.is_empty() {
            return taken;
        }
        after.rows[self.ask.table].push(row.clone());
        after.next[self.ask.table] += 1;
        if !self.is_consistent(&after) {
            // What a client left out may refer by its default.
            let mut given = row.iter().cloned().map(Some).collect::<Vec<_>>();
            for (column, cell) in table.columns.iter().zip(&mut given) {
                *cell = cell.take().filter(|_| column.is_settable());
            }
            return refused(self.no_such_row(&self.referring(&given)));
        }
        let location = (table.has_item && table.allows(1)).then(|| self.ask.item_path(table, &row));
        let made =
            self.render(201, &table.replies.create, &Filling { row: Some(&row), ..Filling::default() });
        vec![(Answer { location, ..made }, after)]
    }

    fn update(&self, key: Option<&[Cell]>, is_put: bool) -> Outcomes {
        let table = self.table();
        let refused = |answer| vec![(answer, self.state.clone())];
        let Some(key) = key else { return refused(self.not_found()) };
        let fields = match self.fields() {
            Ok(fields) => fields,
            Err(answer) => return refused(answer),
        };
        let mut errors = Errors::default();
        let mut set: Vec<Option<Cell>> = vec![None; table.columns.len()];
        let mut fixed: Vec<(usize, Cell)> = Vec::new();
        for (at, column) in table.columns.iter().enumerate() {
            let may_change = column.is_settable() && !table.key.contains(&at);
            let (given, is_twice) = Judge::given(fields, at);
            if is_twice {
                errors.add(&column.name, "is given twice");
            }
            match given {
                Some(input) if may_change => set[at] = self.accept(at, input, &mut errors),
                Some(input) => match &input.outcome {
                    Ok(cell) => fixed.push((at, cell.clone())),
                    Err(words) => errors.add(&column.name, *words),
                },
                None if is_put && may_change && !column.hidden => match &column.default {
                    Some(_) => set[at] = Some(default(column)),
                    None if column.required => errors.missing(&column.name),
                    None => set[at] = Some(Cell::Null),
                },
                None => {}
            }
        }
        Judge::add_unknown(fields, &mut errors);
        if !errors.fields.is_empty() {
            return refused(self.invalid(&errors));
        }
        let Some(index) = self.find(Some(key)) else { return refused(self.not_found()) };
        let mut row = self.rows()[index].clone();
        for (at, cell) in fixed {
            if row[at] != cell {
                errors.add(&table.columns[at].name, "may not be changed");
            }
        }
        if !errors.fields.is_empty() {
            return refused(self.invalid(&errors));
        }
        let referring = self.referring(&set);
        let referred = self.referred(&set);
        let changes = set.iter().any(Option::is_some);
        for (cell, value) in row.iter_mut().zip(set) {
            *cell = value.unwrap_or_else(|| cell.clone());
        }
        if changes {
            for (column, cell) in table.columns.iter().zip(&mut row) {
                if column.generated == Some(Generated::OnWrite) {
                    let now = Cell::Text(timestamp(self.ask.now_unix_us));
                    *cell = if *cell == now { Cell::Text(timestamp(self.ask.now_unix_us + 1)) } else { now };
                }
            }
        }
        let taken = self.taken(&row, Some(index));
        if !taken.is_empty() {
            return taken;
        }
        let mut after = self.state.clone();
        after.rows[self.ask.table][index] = row.clone();
        if !self.is_consistent(&after) {
            // The database does not say which end of a reference was left without the other.
            let ends =
                if referring.is_empty() { self.referred_to(&referred) } else { self.no_such_row(&referring) };
            return refused(ends);
        }
        let reply =
            self.render(200, &table.replies.update, &Filling { row: Some(&row), ..Filling::default() });
        vec![(reply, after)]
    }

    fn delete(&self, key: Option<&[Cell]>) -> Outcomes {
        let Some(index) = self.find(key) else { return vec![(self.not_found(), self.state.clone())] };
        let mut outcomes = Vec::new();
        for restricts in [true, false] {
            let mut after = self.state.clone();
            let is_free =
                self.remove(&mut after, (self.ask.table, index), restricts) && self.is_consistent(&after);
            let reply = &self.table().replies.delete;
            let outcome = if is_free {
                (self.render(200, reply, &Filling::default()), after)
            } else {
                (self.referred_to(&self.table().key), self.state.clone())
            };
            if !outcomes.contains(&outcome) {
                outcomes.push(outcome);
            }
        }
        outcomes
    }

    /// Takes a row away, and does with those that refer to it what their columns say. False if one of them forbids it:
    /// with `restricts` before anything else is done, else only if it is still there in the end.
    fn remove(&self, after: &mut State, (table, index): (usize, usize), restricts: bool) -> bool {
        let row = after.rows[table].remove(index);
        let tables = self.file.tables.iter().enumerate();
        let columns = tables.flat_map(|(child, table)| {
            table.columns.iter().enumerate().map(move |(at, column)| (child, at, column))
        });
        let mut referring = Vec::new();
        for (child, at, column) in columns {
            if let Some((_, target, on_delete)) = column.reference.filter(|(to, ..)| *to == table)
                && row[target] != Cell::Null
            {
                referring.push((child, at, row[target].clone(), on_delete));
            }
        }
        referring.sort_by_key(|(.., on_delete)| *on_delete != OnDelete::Restrict);
        for (child, at, value, on_delete) in referring {
            while let Some(found) = after.rows[child].iter().position(|row| row[at] == value) {
                match on_delete {
                    OnDelete::Restrict if restricts => return false,
                    OnDelete::Restrict | OnDelete::NoAction => break,
                    OnDelete::SetNull => after.rows[child][found][at] = Cell::Null,
                    OnDelete::Cascade => {
                        if !self.remove(after, (child, found), restricts) {
                            return false;
                        }
                    }
                }
            }
        }
        true
    }

    /// Whether every reference has its row.
    fn is_consistent(&self, state: &State) -> bool {
        self.file.tables.iter().zip(&state.rows).all(|(table, rows)| {
            table.columns.iter().enumerate().all(|(at, column)| {
                column.reference.is_none_or(|(to, target, _)| {
                    rows.iter().all(|row| {
                        row[at] == Cell::Null || state.rows[to].iter().any(|other| other[target] == row[at])
                    })
                })
            })
        })
    }

    /// The conflicts of a row with others, one answer for each constraint: the database names the one that it meets first.
    fn taken(&self, row: &Row, own: Option<usize>) -> Outcomes {
        let table = self.table();
        let mut outcomes = Outcomes::new();
        for columns in &table.uniques {
            let agrees = |(index, other): (usize, &Row)| {
                Some(index) != own
                    && columns.iter().all(|at| row[*at] != Cell::Null && row[*at] == other[*at])
            };
            if self.rows().iter().enumerate().any(agrees) {
                let mut errors = Errors::default();
                // What the client can give otherwise, if there is something.
                let can_change = |at: &&usize| {
                    table.columns[**at].is_settable() && (own.is_none() || !table.key.contains(at))
                };
                let changeable: Vec<_> = columns.iter().filter(can_change).collect();
                let named = if changeable.is_empty() { columns.iter().collect() } else { changeable };
                named.iter().for_each(|at| errors.add(&table.columns[**at].name, "is already taken"));
                let filling = Filling { errors: &errors.text(), ..Filling::default() };
                outcomes.push((self.render(409, &table.replies.conflict, &filling), self.state.clone()));
            }
        }
        outcomes
    }

    fn referring(&self, values: &[Option<Cell>]) -> Vec<String> {
        let given = self.table().columns.iter().zip(values);
        let given = given.filter(|(column, value)| {
            column.reference.is_some() && value.as_ref().is_some_and(|value| *value != Cell::Null)
        });
        given.map(|(column, _)| column.name.clone()).collect()
    }

    /// Columns that are set and that others refer to.
    fn referred(&self, set: &[Option<Cell>]) -> Vec<usize> {
        let columns = self.file.tables.iter().flat_map(|table| &table.columns);
        let targets: Vec<_> = columns.filter_map(|column| column.reference).collect();
        let is_target =
            |at: &usize| targets.iter().any(|(to, target, _)| (*to, *target) == (self.ask.table, *at));
        (0..set.len()).filter(|at| set[*at].is_some()).filter(is_target).collect()
    }

    fn no_such_row(&self, referring: &[String]) -> Answer {
        let mut errors = Errors::default();
        referring.iter().for_each(|name| errors.add(name, "does not exist"));
        self.invalid(&errors)
    }

    fn referred_to(&self, columns: &[usize]) -> Answer {
        let table = self.table();
        let mut errors = Errors::default();
        columns.iter().for_each(|at| errors.add(&table.columns[*at].name, "is still referred to"));
        answer(409, format!(r#"{{"error":"Conflict","errors":{}}}"#, errors.text()))
    }
}

fn default(column: &Column) -> Cell {
    column.default.as_ref().and_then(|default| default.outcome.clone().ok()).unwrap_or(Cell::Null)
}
