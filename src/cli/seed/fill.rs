//! Writes the rows of one table: makes them, lets the API's rules and the database judge them, and makes another where one
//! met a row that was there before.

use super::door::Door;
use super::existing::Existing;
use super::progress::Progress;
use super::random::Random;
use super::steps::named;
use super::text::Person;
use super::unique::{Odometer, driving, is_nullable, unique_sets};
use super::value::{Maker, SPAN_US, is_rare, json_of_stored};
use crate::cli::Failure;
use crate::cli::database::store_failure;
use crate::config::Plan;
use crate::config::plan::{Column, ColumnIndex, Table};
use ringmill_sqlite::{Error, Loader, Schema, Sync};
use std::time::Duration;

/// Rows of one transaction; no other process writes meanwhile.
pub(super) const ROWS_PER_TRANSACTION: usize = 1_000;

/// Between two transactions. Whoever waits for the lock looks only now and then whether it is free, so that without a pause a
/// server beside us would hardly ever get it.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a transaction waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// Rows that are refused one after the other while there should be free values.
const ATTEMPTS_MAX: usize = 1_000;

/// Keys of a parent that are picked from, unless more rows need distinct ones.
const KEYS_MAX: u64 = 100_000;

/// What all tables of a run have in common.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) live: &'a Schema,
    pub(super) existing: &'a Existing<'a>,
    pub(super) random: Random,
    pub(super) now_unix_us: i64,
    pub(super) progress: Progress,
}

/// Adds rows to a table.
pub(super) fn fill(run: &mut Run<'_>, table: usize, rows: u64) -> Result<(), Failure> {
    let columns = &run.plan.tables[table].columns;
    let refers_to_itself =
        columns.iter().any(|column| column.references.as_ref().is_some_and(|other| other.table == table));
    // Rows may refer to those of the lots before theirs.
    let mut lot = if refers_to_itself { 1 } else { rows };
    let mut done = 0;
    while done < rows {
        lot = lot.min(rows - done);
        Filler::new(run, table, lot)?.fill(Share { from: done, rows: lot, all: rows })?;
        done += lot;
        lot = done;
    }
    Ok(())
}

/// Which of a table's new rows.
#[derive(Clone, Copy, Debug)]
struct Share {
    from: u64,
    rows: u64,
    all: u64,
}

/// Where a column's values come from.
enum Source {
    /// The schema, which may compute it from others, or the time of the row.
    Left,
    Made(Maker),
    /// Keys of a parent, as JSON.
    Keys(Vec<String>),
}

struct Filler<'a, 'b> {
    run: &'a mut Run<'b>,
    table: usize,
    door: Door,
    /// One for each column.
    sources: Vec<Source>,
    /// `"name":`, one for each column.
    names: Vec<String>,
    odometers: Vec<Odometer>,
    body: String,
}

impl<'a, 'b> Filler<'a, 'b> {
    fn new(run: &'a mut Run<'b>, table: usize, rows: u64) -> Result<Filler<'a, 'b>, Failure> {
        let (plan, existing) = (run.plan, run.existing);
        let declared = &plan.tables[table];
        let makers: Vec<_> =
            declared.columns.iter().map(|column| Maker::new(declared, column, run.now_unix_us)).collect();
        let had = existing.rows(table)?;
        let all = had.saturating_add(rows);
        let drives: Vec<_> = unique_sets(declared)
            .into_iter()
            .map(|set| (driving(declared, &makers, &set, all), set))
            .collect();
        let is_driven_alone = |column| drives.iter().any(|(columns, _)| *columns == [column]);

        let computed = computed(run.live, declared);

        let mut sources = Vec::new();
        for (index, column) in declared.columns.iter().enumerate() {
            sources.push(match &column.references {
                _ if computed.contains(&index) => Source::Left,
                Some(parent) => {
                    let most = rows.max(KEYS_MAX);
                    let from = (parent.table, parent.column);
                    let values = if is_driven_alone(index) {
                        existing.unused(from, (table, index), most)?
                    } else {
                        existing.values(parent.table, parent.column, most)?
                    };
                    let kind = column.rules.kind;
                    Source::Keys(values.iter().map(|value| json_of_stored(kind, value)).collect())
                }
                None if is_left(column) => Source::Left,
                None => Source::Made(makers[index].clone()),
            });
        }

        let mut odometers: Vec<Odometer> = Vec::new();
        for (columns, set) in drives {
            // What another set drives already is left to it, and to trying again.
            if columns.iter().any(|column| odometers.iter().any(|other| other.columns.contains(column))) {
                continue;
            }
            let size = |column: &ColumnIndex| match &sources[*column] {
                Source::Keys(keys) => keys.len() as u128,
                Source::Made(_) | Source::Left => makers[*column].capacity(),
            };
            let sizes = columns.iter().map(size).collect();
            let first = match columns.as_slice() {
                [column] if matches!(sources[*column], Source::Made(_)) => {
                    let counts_on = makers[*column].counts_on();
                    let largest = if counts_on { existing.largest(table, *column)? } else { None };
                    Some(makers[*column].first_number(had, largest.as_ref()))
                }
                _ => None,
            };
            odometers.push(Odometer::new(set, columns, sizes, first, &mut run.random));
        }
        let name = |column: &Column| format!("{}:", serde_json::Value::from(column.name.as_str()));
        Ok(Filler {
            door: Door::new(plan, table, &computed)?,
            sources,
            names: declared.columns.iter().map(name).collect(),
            odometers,
            body: String::new(),
            run,
            table,
        })
    }

    fn fill(&mut self, share: Share) -> Result<(), Failure> {
        let mut loader: Option<Loader> = None;
        let mut waiting = 0;
        for row in share.from..share.from + share.rows {
            let loader = match &mut loader {
                Some(loader) => loader,
                none => none.insert(self.loader(share)?),
            };
            self.add(loader, row, share.all)?;
            waiting += 1;
            if waiting == ROWS_PER_TRANSACTION {
                self.run.progress.add(waiting as u64);
                waiting = 0;
                std::thread::sleep(PAUSE);
            }
        }
        if let Some(loader) = loader {
            loader.finish().map_err(|error| self.failure(error))?;
        }
        self.run.progress.add(waiting as u64);
        Ok(())
    }

    fn loader(&mut self, share: Share) -> Result<Loader, Failure> {
        // Any row tells the statement; chance goes on behind it as if it had not been made.
        let before = self.run.random.clone();
        self.make_body()?;
        self.run.random = before;
        let statement = self.door.insert(&self.body, self.time_of(share.from, share.all))?;
        let path = &self.run.plan.database.sqlite;
        Loader::open(path, &statement.sql, ROWS_PER_TRANSACTION, BUSY_TIMEOUT, Sync::Normal)
            .map_err(|error| self.failure(error))
    }

    /// Writes one row, trying others while it meets rows that exist.
    fn add(&mut self, loader: &mut Loader, row: u64, all: u64) -> Result<(), Failure> {
        let mut attempts = 0;
        loop {
            self.make_body()?;
            let now_unix_us = self.time_of(row, all);
            let statement = self.door.insert(&self.body, now_unix_us)?;
            match loader.push(&statement.parameters) {
                Ok(_) => {
                    self.odometers.iter_mut().for_each(Odometer::advance);
                    return Ok(());
                }
                Err(Error::Unique { columns }) => {
                    let stepped = self.step_over(&columns);
                    attempts = if stepped { 0 } else { attempts + 1 };
                    if attempts > ATTEMPTS_MAX {
                        return Err(self.failure(Error::Unique { columns }));
                    }
                }
                Err(error) => return Err(self.failure(error)),
            }
        }
    }

    /// A row was refused for these columns (`table.column`): goes on to other values of them. Says whether there were some
    /// that count down.
    fn step_over(&mut self, columns: &[String]) -> bool {
        let declared = &self.run.plan.tables[self.table];
        let is_blamed = |column: &ColumnIndex| {
            let name = &declared.columns[*column].name;
            columns.iter().any(|blamed| blamed.rsplit('.').next().is_some_and(|blamed| blamed == name))
        };
        let mut stepped = false;
        for odometer in self.odometers.iter_mut().filter(|odometer| !odometer.is_over()) {
            if odometer.columns.iter().any(is_blamed) {
                odometer.advance();
                // One that has no end in sight is no reason to go on for ever.
                stepped |= odometer.total() <= FINITE_MAX;
            }
        }
        stepped
    }

    /// A row as the body of a request.
    fn make_body(&mut self) -> Result<(), Failure> {
        let person = Person::draw(&mut self.run.random);
        self.body.clear();
        self.body.push('{');
        for index in 0..self.sources.len() {
            let start = self.body.len();
            if start > 1 {
                self.body.push(',');
            }
            self.body.push_str(&self.names[index]);
            if !self.push_value(index, person)? {
                self.body.truncate(start);
            }
        }
        self.body.push('}');
        Ok(())
    }

    /// Says whether the column has a value of its own.
    fn push_value(&mut self, index: ColumnIndex, person: Person) -> Result<bool, Failure> {
        let Run { plan, random, .. } = &mut *self.run;
        let declared = &plan.tables[self.table];
        let column = &declared.columns[index];
        if matches!(self.sources[index], Source::Left) {
            return Ok(false);
        }
        let nullable = is_nullable(declared, index);
        if let Some(over) =
            self.odometers.iter().find(|one| one.is_over() && one.set.columns.contains(&index))
        {
            if nullable {
                self.body.push_str("null");
                return Ok(true);
            }
            let others = || over.set.columns.iter().any(|other| is_nullable(declared, *other));
            if !over.set.is_conditional && !others() {
                return Err(self.used_up(&over.set.columns));
            }
        }
        let number = self.odometers.iter().find_map(|odometer| odometer.number(index));
        match (&self.sources[index], number) {
            (Source::Made(maker), Some(number)) => maker.numbered(number, person, random, &mut self.body),
            (Source::Keys(keys), Some(number)) => self.body.push_str(&keys[number as usize]),
            (Source::Made(maker), None) => {
                let in_key = declared.key.contains(&index);
                if !in_key && column.rules.default.is_some() && random.below(100) < percent_default(column) {
                    return Ok(false);
                }
                if nullable && random.below(100) < percent_null(column) {
                    self.body.push_str("null");
                } else {
                    maker.plausible(person, random, &mut self.body);
                }
            }
            (Source::Keys(keys), None) => {
                if nullable && (keys.is_empty() || random.is_one_in(10)) {
                    self.body.push_str("null");
                } else if keys.is_empty() {
                    return Err(self.no_parent(column));
                } else {
                    // Some parents have more children than others.
                    let place = random.fraction().powi(2) * keys.len() as f64;
                    self.body.push_str(&keys[(place as usize).min(keys.len() - 1)]);
                }
            }
            (Source::Left, _) => return Ok(false),
        }
        Ok(true)
    }

    /// Rows came one after the other in the past two years.
    fn time_of(&self, row: u64, all: u64) -> i64 {
        let ago = (all - row) as f64 / all as f64;
        self.run.now_unix_us - (ago * SPAN_US as f64) as i64
    }

    #[cold]
    fn used_up(&self, columns: &[ColumnIndex]) -> Failure {
        let table = &self.run.plan.tables[self.table];
        Failure::Message(format!(
            "{} must be unique and has no free value left; ask for fewer rows, or widen the column's rules",
            named(table, columns)
        ))
    }

    #[cold]
    fn no_parent(&self, column: &Column) -> Failure {
        Failure::Message(format!(
            "{}.{} is required, and what it refers to has no value; insert such a row by hand",
            self.run.plan.tables[self.table].name, column.name
        ))
    }

    #[cold]
    fn failure(&self, error: Error) -> Failure {
        let table = &self.run.plan.tables[self.table].name;
        let words = match error {
            Error::Unique { columns } => {
                format!("no free value was found for {}; ask for fewer rows", columns.join(", "))
            }
            Error::NotNull { column } => format!(
                "{column} needs a value that the file does not ask for; bring the file into line with the database"
            ),
            Error::Constraint { detail } | Error::Raised { text: detail } => {
                format!("{detail}; bring the file into line with the database, which asks for more")
            }
            Error::Statement { detail } => {
                format!("{detail}; bring the table of the database into line with the file")
            }
            Error::ForeignKey => "a row that it refers to was deleted meanwhile; try again".to_owned(),
            other => return store_failure(&self.run.plan.database.sqlite, &other),
        };
        Failure::Message(format!("cannot seed {table}: {words}"))
    }
}

/// Odometers of more combinations than this are tried only so often for one row.
const FINITE_MAX: u128 = 1 << 40;

/// Columns that the database computes from others.
fn computed(live: &Schema, table: &Table) -> Vec<ColumnIndex> {
    let Some(there) = live.table(&table.sql_name) else { return Vec::new() };
    let is_computed = |column: &Column| {
        there.columns.iter().any(|one| one.computed && one.name.eq_ignore_ascii_case(&column.name))
    };
    (0..table.columns.len()).filter(|index| is_computed(&table.columns[*index])).collect()
}

/// What the schema makes, or the API out of the time. A generated UUID is made here, should the schema not do it.
fn is_left(column: &Column) -> bool {
    use crate::config::plan::Generated;
    match column.generated {
        Some(Generated::Identity | Generated::OnCreate | Generated::OnWrite) => true,
        Some(Generated::Uuid) | None => false,
    }
}

/// What clients do not set mostly has its default.
fn percent_default(column: &Column) -> u64 {
    if column.hidden || column.read_only { 95 } else { 50 }
}

fn percent_null(column: &Column) -> u64 {
    if is_rare(&column.name) { 95 } else { 12 }
}
