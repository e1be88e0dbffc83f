//! What the file declares beside what a database has. A pure function of both: `check` and `serve` make faults of what it
//! says, `migrate` runs its steps.

use crate::api::sql_text::one_line;
use crate::config::key_of;
use crate::config::plan::{Column, Generated, Index, Plan, Table, Type};
use ringmill_sqlite::{LiveColumn, LiveForeignKey, LiveIndex, LiveTable, Schema, TableKind};

use super::clashes::{Clash, agreeing};
use super::narrower::Checks;
use super::rebuild::ANEW;
use super::types::{fitting, holds, shown_type};
use super::{
    Names, create_index, create_trigger, default, is_key_alone, parents_first, storage, trigger_name,
};

/// One thing in which the database is not as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key of the file that it is about.
    pub key: String,
    /// What is so.
    pub message: String,
    pub means: Means,
    /// What to do if what is missing is there under another name.
    pub renamed: Option<String>,
}

impl Difference {
    /// A remedy, and what to do instead if that may be meant.
    pub(in crate::api) fn remedy(&self, remedy: &str) -> String {
        match &self.renamed {
            Some(renamed) => format!("{remedy}; {renamed}"),
            None => remedy.to_owned(),
        }
    }
}

/// What a difference comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A table that is not there; `serve` makes it at start, `migrate` too.
    MissingTable(Vec<Step>),
    /// Something that `migrate` adds.
    Missing { steps: Vec<Step>, harm: Harm },
    /// A column that SQLite cannot add.
    CannotAdd { remedy: String },
    /// Answers would be wrong, and no statement that only adds mends it.
    Wrong { remedy: String },
    /// The file has to say what the database does; nothing is migrated before it does.
    Undeclared { remedy: String },
    /// Answers are right, the database is otherwise; nothing changes it.
    Differs,
    /// What the database does by itself and no answer tells of.
    Unseen,
    /// The file does not speak of it.
    NotInFile,
}

/// What it does that something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Statements fail, or a rule is not kept.
    Wrong,
    Slow,
}

/// A statement that adds something, and the key of the file that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub key: String,
    pub sql: String,
    /// What rows may have that keeps SQLite from running it.
    pub clash: Option<Clash>,
}

impl Step {
    /// One that SQLite runs whatever the rows are.
    pub(super) fn new(key: impl Into<String>, sql: String) -> Step {
        Step { key: key.into(), sql, clash: None }
    }
}

/// Every difference: tables in the file's order, then what the file does not have.
pub fn differences(plan: &Plan, live: &Schema) -> Vec<Difference> {
    let tables = plan.tables.iter().map(|table| &table.sql_name);
    let there = live
        .tables
        .iter()
        .flat_map(|table| std::iter::once(&table.name).chain(table.triggers.iter().map(|(name, _)| name)));
    let names = Names::new(tables.chain(there).chain(&live.index_names));
    let mut found = Found { plan, live, names, all: Vec::new() };
    for table in &plan.tables {
        match live.table(&table.sql_name) {
            None => found.missing_table(table),
            Some(there) if there.kind == TableKind::Table => found.table(table, there),
            // What a view or a module can do is seen when statements are compiled.
            Some(there) => found.own_triggers(table, there),
        }
    }
    found.foreign_keys_of_others(live);
    for table in &live.tables {
        let what = match table.kind {
            TableKind::Table => "table",
            TableKind::View => "view",
            TableKind::Virtual => "virtual table",
            // It comes and goes with its module's table.
            TableKind::Shadow => continue,
        };
        if !plan.tables.iter().any(|known| known.sql_name.eq_ignore_ascii_case(&table.name)) {
            found.add(
                "tables",
                format!("the {what} {}, which the file does not have", table.name),
                Means::NotInFile,
            );
        }
    }
    tell_anew_once(&mut found.all);
    found.all
}

/// How to make a table anew takes many statements: all but the first difference that they mend refer to that one.
fn tell_anew_once(all: &mut [Difference]) {
    let mut told: Vec<(String, String)> = Vec::new();
    for difference in all {
        let (Means::Wrong { remedy } | Means::CannotAdd { remedy } | Means::Undeclared { remedy }) =
            &mut difference.means
        else {
            continue;
        };
        let Some(at) = remedy.find(ANEW) else { continue };
        let how = remedy.split_off(at);
        match told.iter().find(|(known, key)| *known == how && how.len() > ANEW.len() + key.len()) {
            Some((_, key)) => remedy.push_str(&format!("{ANEW}, as told of {key}")),
            None => {
                remedy.push_str(&how);
                told.push((how, difference.key.clone()));
            }
        }
    }
}

/// What `migrate` runs, in order: tables, those that others refer to first, columns, indexes, triggers.
pub(in crate::api) fn steps(plan: &Plan, differences: &[Difference]) -> Vec<Step> {
    let order: Vec<String> =
        parents_first(plan).into_iter().map(|index| key_of("tables", &plan.tables[index].name)).collect();
    let mut tables: Vec<&Difference> = Vec::new();
    let mut rest: Vec<Step> = Vec::new();
    for difference in differences {
        match &difference.means {
            Means::MissingTable(_) => tables.push(difference),
            Means::Missing { steps, .. } => rest.extend(steps.iter().cloned()),
            Means::CannotAdd { .. }
            | Means::Wrong { .. }
            | Means::Undeclared { .. }
            | Means::Differs
            | Means::Unseen
            | Means::NotInFile => {}
        }
    }
    tables.sort_by_key(|table| order.iter().position(|key| *key == table.key));
    let made = tables.into_iter().flat_map(|table| match &table.means {
        Means::MissingTable(steps) => steps.clone(),
        _ => Vec::new(),
    });
    let phase = |step: &Step| match () {
        () if step.sql.starts_with("ALTER") => 0,
        () if step.sql.starts_with("CREATE TRIGGER") => 2,
        () => 1,
    };
    rest.sort_by_key(phase);
    made.chain(rest).collect()
}

pub(super) struct Found<'a> {
    pub(super) plan: &'a Plan,
    pub(super) live: &'a Schema,
    pub(super) names: Names,
    pub(super) all: Vec<Difference>,
}

impl Found<'_> {
    pub(super) fn add(&mut self, key: impl Into<String>, message: String, means: Means) {
        self.all.push(Difference { key: key.into(), message, means, renamed: None });
    }

    /// The same of something that is missing.
    pub(super) fn add_missing(
        &mut self,
        key: String,
        message: String,
        means: Means,
        renamed: Option<String>,
    ) {
        self.all.push(Difference { key, message, means, renamed });
    }

    fn table(&mut self, table: &Table, live: &LiveTable) {
        let checks = Checks::of(live);
        let mut absent = Vec::new();
        for column in &table.columns {
            match column_of(live, &column.name) {
                Some(there) => self.column(table, column, &checks, live, there),
                None => {
                    if !self.missing_column(table, column, live) {
                        absent.push(column.name.as_str());
                    }
                }
            }
        }
        let is_absent = |index: &usize| absent.contains(&table.columns[*index].name.as_str());
        if !table.key.iter().any(is_absent) {
            self.key(table, live);
            self.unique(table, live);
        }
        for (number, index) in table.indexes.iter().enumerate() {
            if !index.columns.iter().any(is_absent) {
                self.index(table, number, index, live);
            }
        }
        for column in on_write(table).filter(|column| !absent.contains(&column.name.as_str())) {
            self.trigger(table, column, live);
        }
        self.foreign_keys(table, live);
        self.unknown(table, live);
        self.not_in_file(table, live);
    }

    fn column(
        &mut self,
        table: &Table,
        column: &Column,
        checks: &Checks<'_>,
        live: &LiveTable,
        there: &LiveColumn,
    ) {
        let key = column_key(table, column);
        let name = format!("{}.{}", table.sql_name, column.name);
        if !holds(column.rules.kind, &there.declared_type, live.strict) {
            let (wanted, has) = (storage(column.rules.kind), shown_type(there));
            let remedy = format!("declare {}, or {}", fitting(there, live.strict), self.anew(table, live));
            self.add(
                key.clone(),
                format!("{name} is {has} in the database, where the file needs {wanted}"),
                Means::Wrong { remedy },
            );
        }
        let is_writable = column.generated.is_none() && !column.read_only;
        if there.computed && is_writable {
            self.add(
                key.clone(),
                format!("{name} is computed by the database"),
                Means::Wrong { remedy: "write read_only = true".into() },
            );
        }
        if column.generated == Some(Generated::Identity) {
            self.identity(table, live, there, &key, &name);
            return;
        }
        self.null(table, column, live, there);
        let (wanted, has) = (default(column), there.default.as_deref());
        if wanted.as_deref().map(bare_expression) != has.map(bare_expression) && !there.computed {
            let shown = |default: Option<&str>| default.map_or("none".to_owned(), one_line);
            let message = format!(
                "{name} has another default in the database: {}, in the file: {}",
                shown(has),
                shown(wanted.as_deref())
            );
            self.add(key.clone(), message, Means::Differs);
        }
        if column.unique && !is_key_alone(table, column) && !is_unique(live, &[&column.name]) {
            let message = format!("{name} is not unique in the database");
            let steps = vec![self.unique_index(table, live, &key, &[position(table, column)])];
            self.add(key.clone(), message, Means::Missing { steps, harm: Harm::Wrong });
        }
        self.conditions(table, column, checks, there);
        self.reference(table, column, live, &key, &name);
    }

    fn identity(&mut self, table: &Table, live: &LiveTable, there: &LiveColumn, key: &str, name: &str) {
        let parts = live.columns.iter().filter(|column| column.key_position > 0).count();
        let is_numbered =
            there.key_position == 1 && parts == 1 && there.declared_type.eq_ignore_ascii_case("INTEGER");
        if !is_numbered {
            self.add(
                key,
                format!("{name} does not number the rows of {} in the database", table.sql_name),
                Means::Wrong {
                    remedy: "remove `generated`, or make the table anew with INTEGER PRIMARY KEY".into(),
                },
            );
        } else if !live.sql.to_ascii_uppercase().contains("AUTOINCREMENT") {
            let message = format!("{name} has no AUTOINCREMENT: the number of a deleted row may come back");
            self.add(key, message, Means::Differs);
        }
    }

    fn key(&mut self, table: &Table, live: &LiveTable) {
        let names: Vec<&str> = table.key.iter().map(|index| table.columns[*index].name.as_str()).collect();
        for index in &table.key {
            self.key_column(table, &table.columns[*index], live);
        }
        if is_unique(live, &names) {
            return;
        }
        // A missing column that is the key's brings no index of its own.
        let key = format!("{}.key", key_of("tables", &table.name));
        let steps = vec![self.unique_index(table, live, &key, &table.key)];
        let message =
            format!("the key ({}) of {} is not unique in the database", names.join(", "), table.sql_name);
        self.add(key, message, Means::Missing { steps, harm: Harm::Wrong });
    }

    /// One that takes different texts for the same would give a row several paths, and what a write makes stale would not be all
    /// that shows the row.
    fn key_column(&mut self, table: &Table, column: &Column, live: &LiveTable) {
        let is_as_sent = matches!(column.rules.kind, Type::Text | Type::Numeric | Type::Json);
        let Some(there) = column_of(live, &column.name).filter(|_| is_as_sent) else { return };
        if !there.collation.eq_ignore_ascii_case("BINARY") {
            let (name, collation) = (format!("{}.{}", table.sql_name, column.name), &there.collation);
            self.add(
                column_key(table, column),
                format!(
                    "{name} has COLLATE {collation} in the database, so that several keys would name one row"
                ),
                Means::Wrong { remedy: "take a key that compares every byte, or make the table anew".into() },
            );
        }
    }

    fn index(&mut self, table: &Table, number: usize, index: &Index, live: &LiveTable) {
        if made_index(table, index, live).is_some() {
            return;
        }
        let key = format!("{}.indexes[{number}]", key_of("tables", &table.name));
        let sql = at_once(&create_index(table, index, &mut self.names));
        let message = format!("the database has no such index: {sql}");
        // SQLite's words about a condition are about that key.
        let at = if index.condition.is_some() { format!("{key}.where") } else { key.clone() };
        let harm = if index.unique { Harm::Wrong } else { Harm::Slow };
        let clash = index.unique.then(|| agreeing(table, live, index)).flatten();
        self.add(key, message, Means::Missing { steps: vec![Step { key: at, sql, clash }], harm });
    }

    fn trigger(&mut self, table: &Table, column: &Column, live: &LiveTable) {
        let key = column_key(table, column);
        // Whatever its name: another table's may have been made first.
        let is_same = |(name, there): &(String, String)| {
            one_line(there) == one_line(&at_once(&create_trigger(table, column, name)))
        };
        if live.triggers.iter().any(is_same) {
            return;
        }
        let name = trigger_name(table, column);
        match live.triggers.iter().find(|(there, _)| there.eq_ignore_ascii_case(&name)) {
            None => {
                let name = self.names.take(name);
                let sql = at_once(&create_trigger(table, column, &name));
                let message =
                    format!("the database has no trigger {name}, which sets {} on write", column.name);
                let steps = vec![Step::new(&key, sql)];
                self.add(key, message, Means::Missing { steps, harm: Harm::Wrong });
            }
            Some(_) => {
                let message = format!("the trigger {name} of the database is not the one of the file");
                self.add(key, message, Means::Differs);
            }
        }
    }

    fn not_in_file(&mut self, table: &Table, live: &LiveTable) {
        let key = key_of("tables", &table.name);
        for there in &live.columns {
            if table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&there.name)) {
                continue;
            }
            let name = format!("{}.{}", table.sql_name, there.name);
            let is_needed =
                there.not_null && there.default.is_none() && there.key_position == 0 && !there.computed;
            if is_needed && table.access.create {
                self.add(
                    format!("{key}.columns"),
                    format!("{name} of the database is NOT NULL without a default, so no row can be created"),
                    Means::Wrong { remedy: "declare the column, or leave `create` out of access".into() },
                );
            } else {
                self.add(
                    key.clone(),
                    format!("the column {name}, which the file does not have"),
                    Means::NotInFile,
                );
            }
        }
        self.own_triggers(table, live);
        if !live.strict {
            let message = format!("{} is not STRICT, which SQLite cannot change", table.sql_name);
            self.add(key, message, Means::NotInFile);
        }
    }

    pub(super) fn unique_index(
        &mut self,
        table: &Table,
        live: &LiveTable,
        key: &str,
        columns: &[usize],
    ) -> Step {
        let index = Index { columns: columns.to_vec(), unique: true, condition: None };
        let sql = at_once(&create_index(table, &index, &mut self.names));
        Step { key: key.to_owned(), sql, clash: agreeing(table, live, &index) }
    }
}

/// Under the lock nobody else makes it, and a name that is taken is a fault.
pub(super) fn at_once(sql: &str) -> String {
    sql.replacen(" IF NOT EXISTS", "", 1)
}

pub(super) fn on_write(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.generated == Some(Generated::OnWrite))
}

pub(super) fn column_key(table: &Table, column: &Column) -> String {
    key_of(&format!("{}.columns", key_of("tables", &table.name)), &column.name)
}

pub(super) fn position(table: &Table, column: &Column) -> usize {
    table.columns.iter().position(|other| other.name == column.name).unwrap_or(0)
}

pub(super) fn column_of<'a>(live: &'a LiveTable, name: &str) -> Option<&'a LiveColumn> {
    live.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

pub(super) fn are_columns(there: &[Option<String>], names: &[&str]) -> bool {
    there.len() == names.len()
        && there
            .iter()
            .zip(names)
            .all(|(there, name)| there.as_deref().is_some_and(|there| there.eq_ignore_ascii_case(name)))
}

/// The index of the database that is as the file's, or keeps more.
pub(in crate::api) fn made_index<'a>(
    table: &Table,
    index: &Index,
    live: &'a LiveTable,
) -> Option<&'a LiveIndex> {
    let names: Vec<&str> = index.columns.iter().map(|column| table.columns[*column].name.as_str()).collect();
    live.indexes.iter().find(|there| {
        (there.unique || !index.unique)
            && are_columns(&there.columns, &names)
            && there.condition.as_deref().map(one_line) == index.condition.as_deref().map(one_line)
    })
}

/// Whether a foreign key goes where the file's column refers to.
pub(super) fn refers_as(plan: &Plan, column: &Column, there: &LiveForeignKey) -> bool {
    let Some(reference) = &column.references else { return false };
    let parent = &plan.tables[reference.table];
    let is_same = |names: &[String], name: &str| matches!(names, [one] if one.eq_ignore_ascii_case(name));
    let names_key = there.target_columns.is_empty() && parent.key == [reference.column];
    there.table.eq_ignore_ascii_case(&parent.sql_name)
        && is_same(&there.columns, &column.name)
        && (names_key || is_same(&there.target_columns, &parent.columns[reference.column].name))
}

/// Whether no two rows agree in these columns, whatever their order.
pub(super) fn is_unique(live: &LiveTable, names: &[&str]) -> bool {
    let is_among = |name: &str| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
    let key: Vec<_> = live.columns.iter().filter(|column| column.key_position > 0).collect();
    let by_key =
        !key.is_empty() && key.len() <= names.len() && key.iter().all(|column| is_among(&column.name));
    by_key
        || live.indexes.iter().any(|index| {
            index.unique
                && index.condition.is_none()
                && index.columns.iter().all(|name| name.as_deref().is_some_and(is_among))
        })
}

/// Without the parentheses around it.
fn bare_expression(sql: &str) -> String {
    let sql = sql.trim();
    one_line(sql.strip_prefix('(').and_then(|sql| sql.strip_suffix(')')).unwrap_or(sql))
}
