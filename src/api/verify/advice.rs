//! Indexes that statements would be faster with. Nothing is guessed from their text: an index is tried in the copy of the
//! schema, and advised if SQLite then scans, sorts or indexes less.

use crate::config::key_of;
use crate::config::plan::{ColumnIndex, Plan, Table};
use ringmill_sqlite::{Compiler, LiveTable, Schema};

use super::Findings;
use super::touched::TableRef;
use crate::api::sql::quote;
use crate::api::{Api, Kind};

/// Indexes that are tried for one statement.
const TRIED_MAX: usize = 256;
/// The name of an index that is tried.
const TRIED: &str = "ringmill_tried";
/// How the names of those begin that references need.
const REFERENCE: &str = "ringmill_reference";

pub(super) fn advise(findings: &mut Findings<'_>, api: &Api, compiler: &Compiler, live: &Schema) {
    let plan = findings.plan;
    for table in &plan.tables {
        for (index, column) in table.columns.iter().enumerate() {
            if column.references.is_some() && !is_indexed(table, index, live.table(&table.sql_name)) {
                let key = key_of(&format!("{}.columns", key_of("tables", &table.name)), &column.name);
                let words = "a delete of a row that it refers to scans this table";
                findings.advise(&key, words, table, &[index]);
                // One index, one note: statements are looked at as if it were there.
                let name = format!("{REFERENCE}_{}_{index}", table.name);
                let _ = compiler.change(&create_index(&name, table, &[index]));
            }
        }
    }
    for operation in &api.operations {
        let (key, sql, tables) = match operation.kind {
            Kind::List(table) => {
                let key = format!("{}.order", key_of("tables", &plan.tables[table].name));
                (key, api.tables[table].statements.list.clone(), vec![table])
            }
            Kind::Get(table) => {
                let key = key_of("tables", &plan.tables[table].name);
                (key, api.tables[table].statements.get.clone(), vec![table])
            }
            Kind::Sql(statement) => {
                let endpoint = findings.endpoint_key(api.endpoint_of_statement(plan, statement));
                let touched = &operation.terms.touched;
                let mut tables: Vec<usize> = touched
                    .reads
                    .iter()
                    .chain(&touched.writes)
                    .filter_map(|tag| match tag.table {
                        TableRef::Declared(index) => Some(index),
                        TableRef::Other(_) => None,
                    })
                    .collect();
                tables.sort_unstable();
                tables.dedup();
                (findings.sql_key(&endpoint), api.statements[statement].statement.clone(), tables)
            }
            _ => continue,
        };
        let Some((table, columns)) = best_index(plan, compiler, &sql, &tables) else { continue };
        let toil = toil(compiler, &sql).unwrap_or_default();
        findings.advise(&key, &toil.words(), &plan.tables[table], &columns);
    }
}

impl Findings<'_> {
    fn advise(&mut self, key: &str, words: &str, table: &Table, columns: &[ColumnIndex]) {
        let names: Vec<_> = columns.iter().map(|column| table.columns[*column].name.as_str()).collect();
        let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let create =
            create_index(&quote(&format!("{}_{}_idx", table.sql_name, names.join("_"))), table, columns);
        let remedy = format!(
            "{create}: add [{}] to indexes of {}, then run `ringmill migrate`",
            quoted.join(", "),
            key_of("tables", &table.name)
        );
        self.note(key, format!("a missing index: {words}"), remedy);
    }
}

/// How a statement is run, as far as an index changes it; less is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Toil {
    automatic_indexes: usize,
    scans: usize,
    sorts: usize,
}

impl Toil {
    fn words(self) -> String {
        match self {
            Toil { automatic_indexes: 1.., .. } => "SQLite makes one for each run".into(),
            Toil { sorts: 1.., scans: 0, .. } => "the rows are sorted for each run".into(),
            Toil { sorts: 1.., .. } => "all rows are read and sorted for each run".into(),
            Toil { .. } => "all rows are read for each run".into(),
        }
    }
}

/// `None` if the statement does not compile.
fn toil(compiler: &Compiler, sql: &str) -> Option<Toil> {
    let mut toil = Toil::default();
    for step in compiler.query_plan(sql).ok()? {
        if step.contains("USING AUTOMATIC") {
            toil.automatic_indexes += 1;
        } else if step.starts_with("SCAN ") && step != "SCAN CONSTANT ROW" {
            toil.scans += 1;
        } else if step == "USE TEMP B-TREE FOR ORDER BY" {
            toil.sorts += 1;
        }
    }
    Some(toil)
}

/// The index of one or two columns with which the statement is run best; `None` if none makes it better.
fn best_index(
    plan: &Plan,
    compiler: &Compiler,
    sql: &str,
    tables: &[usize],
) -> Option<(usize, Vec<ColumnIndex>)> {
    let now = toil(compiler, sql)?;
    if now == Toil::default() {
        return None;
    }
    let mut tried = 0;
    let mut best: Option<(Toil, usize, Vec<ColumnIndex>)> = None;
    for &table in tables {
        for column in 0..plan.tables[table].columns.len() {
            tried += 1;
            if tried > TRIED_MAX {
                break;
            }
            let least = best.as_ref().map_or(now, |(toil, ..)| *toil);
            let columns = vec![column];
            if let Some(toil) = toil_with(plan, compiler, sql, table, &columns)
                && toil < least
            {
                best = Some((toil, table, columns));
            }
        }
    }
    let (least, table, columns) = best?;
    // A second column may save the sorting.
    for column in 0..plan.tables[table].columns.len() {
        let both = vec![columns[0], column];
        if column != columns[0]
            && toil_with(plan, compiler, sql, table, &both).is_some_and(|toil| toil < least)
        {
            return Some((table, both));
        }
    }
    Some((table, columns))
}

fn toil_with(
    plan: &Plan,
    compiler: &Compiler,
    sql: &str,
    table: usize,
    columns: &[ColumnIndex],
) -> Option<Toil> {
    let table = &plan.tables[table];
    compiler.change(&create_index(TRIED, table, columns)).ok()?;
    let toil = toil(compiler, sql);
    // It was just made.
    let _ = compiler.change(&format!("DROP INDEX {TRIED}"));
    toil
}

fn create_index(name: &str, table: &Table, columns: &[ColumnIndex]) -> String {
    let columns: Vec<_> = columns.iter().map(|column| quote(&table.columns[*column].name)).collect();
    format!("CREATE INDEX {name} ON {} ({})", quote(&table.sql_name), columns.join(", "))
}

/// Whether an index, of the file or of the database, finds rows by this column.
fn is_indexed(table: &Table, column: ColumnIndex, live: Option<&LiveTable>) -> bool {
    let name = &table.columns[column].name;
    let begins = |columns: &[ColumnIndex]| columns.first() == Some(&column);
    table.columns[column].unique
        || begins(&table.key)
        || table.indexes.iter().any(|index| index.condition.is_none() && begins(&index.columns))
        || live.is_some_and(|live| {
            live.indexes.iter().any(|index| {
                let first = index.columns.first().and_then(Option::as_deref);
                index.condition.is_none() && first.is_some_and(|first| first.eq_ignore_ascii_case(name))
            })
        })
}
