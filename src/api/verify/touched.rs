//! What an operation reads and writes: asked of the database, made finer by the file. SQLite's authorizer tells of what triggers
//! do and of what deleted rows take with them, at whatever distance, also of rows that a REPLACE clause deletes.

use crate::config::plan::{EndpointKind, Plan};
use ringmill_sqlite::{Compiled, Schema, TableKind};

/// What an operation reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Tables in the file's order, then those that it does not have by name.
    pub reads: Vec<Tag>,
    /// As `reads`; with what cascades and triggers write.
    pub writes: Vec<Tag>,
    /// Whether what is read cannot be told: a module of the database, such as a full-text index, may look wherever it likes.
    pub reads_anything: bool,
    /// Whether no rows of a table are written but those that the operation names.
    pub knows_rows: bool,
}

/// Rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub table: TableRef,
    /// Which rows, as the file writes it (`{id}`); `None`: any.
    pub rows: Option<String>,
}

/// A table, in the file or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableRef {
    /// Index into the plan's tables.
    Declared(usize),
    /// Its name in the database.
    Other(String),
}

impl Tag {
    fn whole(table: TableRef) -> Tag {
        Tag { table, rows: None }
    }
}

/// Table-valued functions whose rows stem from their arguments alone.
const OF_ARGUMENTS: [&str; 3] = ["json_each", "json_tree", "generate_series"];

/// What these statements, as compiled, read and write.
pub(super) fn touched(plan: &Plan, live: &Schema, statements: &[Compiled]) -> Touched {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for compiled in statements {
        // A view is no table; what it stands for is among the reads too.
        let tables = compiled
            .reads
            .iter()
            .filter(|name| live.table(name).is_none_or(|table| table.kind != TableKind::View));
        reads.extend(tables.map(|name| table_ref(plan, name)));
        // The numbers of identities are nobody's rows.
        let written = compiled.writes.iter().filter(|write| write.table != "sqlite_sequence");
        writes.extend(written.map(|write| table_ref(plan, &write.table)));
    }
    let whole = |mut tables: Vec<TableRef>| {
        tables.sort();
        tables.dedup();
        tables.into_iter().map(Tag::whole).collect()
    };
    // SQLite's own tables change unseen; of modules only those are known to look nowhere that make rows of their arguments.
    let is_unknown = |table: &TableRef| match live.table(table.sql_name(plan)) {
        Some(table) => matches!(table.kind, TableKind::Virtual | TableKind::Shadow),
        None => {
            matches!(table, TableRef::Other(name) if !OF_ARGUMENTS.contains(&name.to_ascii_lowercase().as_str()))
        }
    };
    let reads_anything = reads.iter().any(is_unknown);
    Touched { reads: whole(reads), writes: whole(writes), reads_anything, knows_rows: false }
}

fn table_ref(plan: &Plan, name: &str) -> TableRef {
    match plan.tables.iter().position(|table| table.sql_name.eq_ignore_ascii_case(name)) {
        Some(index) => TableRef::Declared(index),
        None => TableRef::Other(name.to_owned()),
    }
}

/// Tags that the file gives, in the place of those of the same tables.
pub(super) fn overridden(plan: &Plan, asked: &[Tag], written: &[String]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = written.iter().filter_map(|text| tag(plan, text)).collect();
    let others = asked.iter().filter(|tag| matches!(tag.table, TableRef::Other(_)));
    tags.extend(others.cloned());
    tags
}

/// `users`, `users/{id}`; the file was checked.
pub(super) fn tag(plan: &Plan, text: &str) -> Option<Tag> {
    let (name, rows) = match text.split_once('/') {
        Some((name, rows)) => (name, Some(rows.to_owned())),
        None => (text, None),
    };
    let index = plan.tables.iter().position(|table| table.name == name)?;
    Some(Tag { table: TableRef::Declared(index), rows })
}

impl TableRef {
    /// As the database calls it.
    pub fn sql_name<'a>(&'a self, plan: &'a Plan) -> &'a str {
        match self {
            TableRef::Declared(index) => &plan.tables[*index].sql_name,
            TableRef::Other(name) => name,
        }
    }

    /// As the file calls it, else as the database does.
    pub fn name<'a>(&'a self, plan: &'a Plan) -> &'a str {
        match self {
            TableRef::Declared(index) => &plan.tables[*index].name,
            TableRef::Other(name) => name,
        }
    }
}

/// The written tags of an endpoint.
pub(super) fn written(kind: &EndpointKind) -> (Option<&Vec<String>>, Option<&Vec<String>>) {
    match kind {
        EndpointKind::Sql(sql) => (sql.reads.as_ref(), sql.writes.as_ref()),
        EndpointKind::Json(_) | EndpointKind::Echo => (None, None),
    }
}
