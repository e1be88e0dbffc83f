//! The plan against a schema: what keeps it from being served, what is worth knowing, and what each operation reads and writes.
//! `serve` and `check` both ask here, so that what one accepts the other does not refuse.
//!
//! Statements are compiled against a copy of the live schema in memory to which everything that is missing was added: a
//! missing column is one fault, not one for each statement that names it.

mod advice;
mod conditions;
mod cycles;
mod endpoints;
mod forms;
mod linked;
mod returning;
mod rows;
mod touched;
mod views;

#[cfg(test)]
mod tests;

use crate::config::plan::{EndpointKind, Plan, Table};
use crate::config::{Fault, key_of};
use ringmill_sqlite::{Compiled, Compiler, Inspector, LiveForeignKey, LiveTable, Schema, TableKind};

use super::schema::{
    Clashing, Difference, Harm, Means, Step, Why, clash_of, differences, mend, stand_in, steps, storage,
};
use super::sql::quote;
use super::{Api, Kind, check_columns};

pub use touched::{TableRef, Tag, Touched};

/// What a plan comes to on a database.
#[derive(Debug)]
pub struct Verified {
    /// To be served if there is no fault.
    pub api: Api,
    /// In the order of files and lines.
    pub faults: Vec<Fault>,
    /// What hinders nothing: missing indexes, differences that no answer shows.
    pub notes: Vec<Fault>,
    /// Tables that `serve` makes at start.
    pub made_at_start: Vec<String>,
}

/// How much is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Faults.
    Faults,
    /// Notes too, which takes many looks at how statements would be run.
    Notes,
}

const MIGRATE: &str = "`ringmill migrate` adds it";

/// Compares the plan with a schema and compiles every statement against it. The inspector is asked about rows that contradict
/// what is missing.
///
/// # Errors
/// In words, if there is no memory for a copy of the schema.
pub fn verify(plan: &Plan, live: &Schema, inspector: &Inspector, depth: Depth) -> Result<Verified, String> {
    let compiler = copy_of(plan, live)?;
    let columns = |sql: &str| compiler.compile(sql).ok().map(|compiled| compiled.columns);
    let mut findings = Findings { plan, faults: Vec::new(), notes: Vec::new(), made_at_start: Vec::new() };

    let differences = differences(plan, live);
    findings.faults = refused(plan, &compiler, &steps(plan, &differences));
    // What cannot be added is one fault, and no other because of it.
    for table in &plan.tables {
        add_for_compiling(&compiler, table, &differences);
    }
    differences.iter().for_each(|difference| findings.difference(difference, inspector));

    conditions::check(&mut findings, &compiler, live);

    let mut api = Api::with_columns(plan, &columns);
    for table in &mut api.tables {
        table.checks = live.table(&table.sql_name).map(check_columns::of).unwrap_or_default();
    }
    api.blame_as(plan, live);
    let links = linked::links(plan, live);
    for index in 0..api.operations.len() {
        let kind = api.operations[index].kind;
        if endpoints::is_no_statement_of_rows(&mut findings, &api, kind) || views::is_told(plan, live, kind) {
            continue;
        }
        let mut sound: Vec<Compiled> = Vec::new();
        for sql in api.statements_of(kind) {
            match compiler.compile_telling_where(sql) {
                Ok(compiled) => sound.push(compiled),
                Err((words, at)) => findings.refused(&api, index, (sql, at), &words),
            }
        }
        api.operations[index].terms.touched = touched::touched(plan, live, &sound);
        if let Kind::Sql(statement) = kind {
            let written = sound.iter().flat_map(|compiled| &compiled.writes);
            let mut written: Vec<_> = written.filter_map(|write| live.table(&write.table)).collect();
            written.dedup_by_key(|table| &table.name);
            let checks = written.into_iter().flat_map(check_columns::of).collect();
            api.statements[statement].checks = checks;
            let endpoint = &plan.endpoints[api.endpoint_of_statement(plan, statement)];
            if let (EndpointKind::Sql(endpoint), [asked]) = (&endpoint.kind, sound.as_slice()) {
                let (refers, others) = linked::blamable(plan, &links, endpoint, asked);
                api.statements[statement].refers_by(&refers, others);
            }
        }
    }
    views::check_tables(&mut findings, &api, live);
    endpoints::check(&mut findings, &mut api, &compiler, live);
    rows::tell(&mut api, plan, live);
    if depth == Depth::Notes {
        advice::advise(&mut findings, &api, &compiler, live);
        forms::advise(&mut findings, live, inspector);
        cycles::advise(&mut findings, live);
    }

    let Findings { mut faults, mut notes, made_at_start, .. } = findings;
    plan.places.sort(&mut faults);
    plan.places.sort(&mut notes);
    Ok(Verified { api, faults, notes, made_at_start })
}

/// What `migrate` runs.
#[derive(Debug, Default)]
pub struct Migration {
    /// In order.
    pub statements: Vec<String>,
    /// Queries that gave no answer, and why; should they give a row, a statement will be refused.
    pub not_known: Vec<(String, Why)>,
}

/// What `migrate` runs on a database of this schema.
///
/// # Errors
/// What is declared and cannot be added, in the order of files and lines.
pub fn migration(plan: &Plan, live: &Schema, inspector: &Inspector) -> Result<Migration, Vec<Fault>> {
    let differences = differences(plan, live);
    let steps = steps(plan, &differences);
    let cannot = differences.iter().filter_map(|difference| match &difference.means {
        Means::CannotAdd { remedy } | Means::Undeclared { remedy } => {
            Some(plan.places.fault(&difference.key, &difference.message, difference.remedy(remedy)))
        }
        _ => None,
    });
    let mut faults: Vec<Fault> = cannot.collect();
    let mut not_known = Vec::new();
    for difference in &differences {
        match clash_of(difference, inspector) {
            Clashing::No => {}
            Clashing::Yes { remedy } => {
                faults.push(plan.places.fault(
                    &difference.key,
                    &difference.message,
                    difference.remedy(&remedy),
                ));
            }
            Clashing::NotKnown { query, why } => not_known.push((query, why)),
        }
    }
    match copy_of(plan, live) {
        Ok(compiler) => faults.extend(refused(plan, &compiler, &steps)),
        Err(words) => faults.push(plan.places.fault("database", words, "")),
    }
    plan.places.sort(&mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Migration { statements: steps.into_iter().map(|step| step.sql).collect(), not_known })
}

/// The fault that a statement of a migration was refused for, if rows can contradict it.
pub fn refused_by_rows(plan: &Plan, live: &Schema, statement: &str) -> Option<Fault> {
    differences(plan, live).iter().find_map(|difference| {
        let Means::Missing { steps, .. } = &difference.means else { return None };
        let step = steps.iter().find(|step| step.sql == statement)?;
        let remedy = mend(difference, step, step.clash.as_ref()?);
        Some(plan.places.fault(&difference.key, &difference.message, remedy))
    })
}

/// A copy of the schema in which every table of the plan that is there can be compiled against.
fn copy_of(plan: &Plan, live: &Schema) -> Result<Compiler, String> {
    let compiler = Compiler::copy_of(live).map_err(|error| format!("cannot copy the schema: {error:?}"))?;
    let declared = plan.tables.iter().filter_map(|table| live.table(&table.sql_name));
    for table in declared.filter(|table| table.kind == TableKind::Table) {
        stand_in(&compiler, table);
    }
    Ok(compiler)
}

/// Runs the steps in a copy of the schema; faults of those that SQLite refuses.
fn refused(plan: &Plan, compiler: &Compiler, steps: &[Step]) -> Vec<Fault> {
    let refused = steps.iter().filter_map(|step| {
        let words = compiler.change(&step.sql).err()?;
        let remedy = format!("mend it; the statement is: {}", step.sql);
        Some(plan.places.fault(&step.key, words, remedy))
    });
    refused.collect()
}

/// Adds what cannot be added, without its rules but with a type, which STRICT tables need.
fn add_for_compiling(compiler: &Compiler, table: &Table, differences: &[Difference]) {
    for column in &table.columns {
        let key = key_of(&format!("{}.columns", key_of("tables", &table.name)), &column.name);
        let is_it = |difference: &&Difference| {
            difference.key == key && matches!(difference.means, Means::CannotAdd { .. })
        };
        if differences.iter().any(|difference| is_it(&difference)) {
            // Should it fail too, statements say so.
            let _ = compiler.change(&format!(
                "ALTER TABLE {} ADD COLUMN {} {}",
                quote(&table.sql_name),
                quote(&column.name),
                storage(column.rules.kind)
            ));
        }
    }
}

struct Findings<'a> {
    plan: &'a Plan,
    faults: Vec<Fault>,
    notes: Vec<Fault>,
    made_at_start: Vec<String>,
}

impl Findings<'_> {
    fn fault(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let fault = self.plan.places.fault(key, message, remedy);
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn note(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let note = self.plan.places.fault(key, message, remedy);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn difference(&mut self, difference: &Difference, inspector: &Inspector) {
        let (key, message) = (&difference.key, &difference.message);
        match &difference.means {
            Means::MissingTable(_) if self.plan.database.create_missing => {
                let table = self.plan.tables.iter().find(|table| key_of("tables", &table.name) == *key);
                self.made_at_start.extend(table.map(|table| table.sql_name.clone()));
                if let Some(renamed) = &difference.renamed {
                    self.note(key, message, renamed.as_str());
                }
            }
            Means::MissingTable(_) => {
                let remedy = "`ringmill migrate` makes it, or set database.create_missing = true";
                self.fault(key, message, difference.remedy(remedy));
            }
            Means::Missing { harm: Harm::Wrong, steps } => {
                let statements: Vec<_> = steps.iter().map(|step| step.sql.as_str()).collect();
                let shown = match statements.as_slice() {
                    [sql] if message.ends_with(*sql) => String::new(),
                    _ => format!(": {}", statements.join("; ")),
                };
                let remedy = match clash_of(difference, inspector) {
                    Clashing::No => format!("{MIGRATE}{shown}"),
                    Clashing::Yes { remedy } => remedy,
                    Clashing::NotKnown { query, why } => {
                        format!("{MIGRATE}{shown}, unless rows agree, which {query} tells; {why}")
                    }
                };
                self.fault(key, message, difference.remedy(&remedy));
            }
            Means::Missing { harm: Harm::Slow, .. } => self.note(key, message, MIGRATE),
            Means::CannotAdd { remedy } | Means::Wrong { remedy } | Means::Undeclared { remedy } => {
                self.fault(key, message, difference.remedy(remedy));
            }
            Means::Differs => {
                self.note(key, message, "nothing changes it; declare it as it is, or make the table anew");
            }
            Means::Unseen => self.note(key, message, ""),
            Means::NotInFile => {}
        }
    }

    /// The table's or the endpoint's key.
    fn key_of_operation(&self, api: &Api, kind: Kind) -> String {
        match kind {
            Kind::List(table)
            | Kind::Get(table)
            | Kind::Create(table)
            | Kind::Put(table)
            | Kind::Patch(table)
            | Kind::Delete(table) => key_of("tables", &self.plan.tables[table].name),
            Kind::Sql(statement) => self.endpoint_key(api.endpoint_of_statement(self.plan, statement)),
            Kind::Constant(_) | Kind::Echo => "endpoints".to_owned(),
        }
    }

    fn endpoint_key(&self, endpoint: usize) -> String {
        key_of("endpoints", &self.plan.endpoints[endpoint].name)
    }

    /// The key of an endpoint that has its statement.
    fn sql_key(&self, endpoint: &str) -> String {
        let inline = format!("{endpoint}.sql");
        if self.plan.places.has(&inline) { inline } else { format!("{endpoint}.sql_file") }
    }

    /// With the byte of the statement that SQLite's words are about, if it says so.
    fn refused(&mut self, api: &Api, operation: usize, (sql, at): (&str, Option<usize>), words: &str) {
        let kind = api.operations[operation].kind;
        let key = self.key_of_operation(api, kind);
        let place = api.routes().iter().find_map(|route| {
            let is_it =
                |method: &&ringmill_http1::Method| route.by_method[**method as usize] == Some(operation);
            let method = route.methods.iter().find(is_it)?;
            Some(format!("{} {}", method.as_str(), route.path))
        });
        let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
        match kind {
            Kind::Sql(statement) => {
                let endpoint = &self.plan.endpoints[api.endpoint_of_statement(self.plan, statement)];
                let has_file = matches!(&endpoint.kind, EndpointKind::Sql(sql) if sql.file.is_some());
                let remedy = "mend the statement, or declare the table or column it needs";
                let mut fault =
                    self.plan.places.fault(&self.sql_key(&key), format!("{words}{place}"), remedy);
                // Line breaks of the file are those of what is prepared.
                if let Some(before) = at.filter(|_| has_file).and_then(|at| sql.get(..at)) {
                    fault.line = Some(1 + before.matches('\n').count());
                }
                if !self.faults.contains(&fault) {
                    self.faults.push(fault);
                }
            }
            _ => self.fault(
                &key,
                format!("{words}{place}; the statement is: {sql}"),
                "bring the table of the database into line with the file",
            ),
        }
    }
}

/// Columns that ON DELETE sets to NULL, or to a default that may be NULL, as SQLite calls them.
fn emptied<'a>(child: &'a LiveTable, there: &'a LiveForeignKey) -> impl Iterator<Item = String> + use<'a> {
    let columns = there.columns.iter().filter(|_| there.on_delete.starts_with("SET "));
    columns.map(|column| format!("{}.{column}", child.name))
}

impl Api {
    /// Has fields be blamed by all foreign keys that there are, also those that the file cannot say.
    fn blame_as(&mut self, plan: &Plan, live: &Schema) {
        let declared =
            |name: &str| plan.tables.iter().position(|table| table.sql_name.eq_ignore_ascii_case(name));
        for child in &live.tables {
            for there in &child.foreign_keys {
                if let Some(table) = declared(&child.name) {
                    self.tables[table].refers_by(&there.columns);
                }
                if let Some(table) = declared(&there.table) {
                    self.tables[table].is_referred_by(&there.target_columns);
                }
                self.emptied.extend(emptied(child, there));
            }
        }
    }

    /// Index into the plan's endpoints.
    fn endpoint_of_statement(&self, plan: &Plan, statement: usize) -> usize {
        let is_sql = |(_, endpoint): &(usize, &crate::config::plan::Endpoint)| {
            matches!(endpoint.kind, EndpointKind::Sql(_))
        };
        plan.endpoints.iter().enumerate().filter(is_sql).nth(statement).map_or(0, |(index, _)| index)
    }
}
