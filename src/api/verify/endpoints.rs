//! SQL endpoints: whether what their keys say fits the statement.

use crate::config::key_of;
use crate::config::plan::{EndpointKind, Shape, SqlEndpoint, Template};
use ringmill_sqlite::{Compiled, Compiler, Schema};

use super::Findings;
use super::returning;
use super::touched::{TableRef, Tag, overridden, tag, written};
use super::views;
use crate::api::sql::quote;
use crate::api::{Api, Kind, sql_text};

/// Whether an operation is an endpoint whose statement cannot be served, be it sound SQL or not; a fault then.
pub(super) fn is_no_statement_of_rows(findings: &mut Findings<'_>, api: &Api, kind: Kind) -> bool {
    let Kind::Sql(statement) = kind else { return false };
    let Some(verb) = sql_text::other_verb(&api.statements[statement].statement) else { return false };
    let endpoint = findings.endpoint_key(api.endpoint_of_statement(findings.plan, statement));
    let at = findings.sql_key(&endpoint);
    findings.fault(
        &at,
        format!("{verb} neither reads nor writes rows, which is all that an endpoint may do"),
        "write SELECT, INSERT, UPDATE, DELETE or REPLACE; the schema is changed by `ringmill migrate`",
    );
    true
}

/// `pragma_table_info` and its like, which are tables to a statement and pragmas when it runs. A table of that name is one.
fn check_pragmas(findings: &mut Findings<'_>, key: &str, asked: &Compiled, live: &Schema) {
    let is_pragma = |name: &&String| {
        name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("pragma_")) && live.table(name).is_none()
    };
    if let Some(name) = asked.reads.iter().find(is_pragma) {
        let at = findings.sql_key(key);
        findings.fault(
            &at,
            format!(
                "{name} is a setting of the database, not a table: an endpoint may only read and write rows"
            ),
            "read tables and views",
        );
    }
}

/// Tables in which SQLite keeps its own accounts. Of `sqlite_sequence` the numbers may be read.
fn check_own_tables(findings: &mut Findings<'_>, key: &str, asked: &Compiled, live: &Schema) {
    let is_own = |name: &str| name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    let is_module = |name: &str| name.eq_ignore_ascii_case("dbstat") && live.table(name).is_none();
    let may_read =
        |name: &str| !is_own(name) && !is_module(name) || name.eq_ignore_ascii_case("sqlite_sequence");
    let read = asked.reads.iter().find(|name| !may_read(name));
    if let Some(name) = read.or_else(|| asked.targets.iter().find(|name| is_own(name))) {
        let at = findings.sql_key(key);
        findings.fault(
            &at,
            format!("{name} is SQLite's own: an endpoint may only read and write rows of tables"),
            "name tables and views that were declared or created",
        );
    }
}

/// GET and HEAD are asked by crawlers, probes and whoever reloads a page.
fn check_methods(findings: &mut Findings<'_>, key: &str, methods: &[String], asked: &Compiled) {
    if asked.readonly || !methods.iter().any(|method| method == "GET") {
        return;
    }
    let at = findings.sql_key(key);
    findings.fault(
        &at,
        "the statement writes, and GET (with HEAD, which comes with it) must not",
        "write methods = [\"POST\"], or others of PUT, PATCH, DELETE",
    );
}

pub(super) fn check(findings: &mut Findings<'_>, api: &mut Api, compiler: &Compiler, live: &Schema) {
    let plan = findings.plan;
    for index in 0..api.operations.len() {
        let Kind::Sql(statement) = api.operations[index].kind else { continue };
        let endpoint = &plan.endpoints[api.endpoint_of_statement(plan, statement)];
        let EndpointKind::Sql(sql) = &endpoint.kind else { continue };
        let key = key_of("endpoints", &endpoint.name);
        let compiled = &api.statements[statement];
        let Ok(asked) = compiler.compile(&compiled.statement) else { continue };
        check_methods(findings, &key, &endpoint.methods, &asked);
        check_pragmas(findings, &key, &asked, live);
        check_own_tables(findings, &key, &asked, live);
        check_columns(findings, &key, sql, &asked);
        returning::check(findings, &key, sql, &asked);
        note_star(findings, &key, (sql, &compiled.statement), &asked, compiler);
        note_null(findings, &key, sql, &asked);
        views::check_statement(findings, &key, sql, &asked, live);
        let is_shown = |name: &&str| sql.reply.as_ref().is_some_and(|reply| shows(reply, name));
        for name in compiled.unused_parameters().filter(|name| !is_shown(name)) {
            let at = format!("{key}.params.{name}");
            if plan.places.has(&at) {
                let message = format!("${name} is declared, but the statement does not use it");
                findings.note(&at, message, "use it, or remove it");
            } else {
                let message = format!("the statement does not use ${name} of the path");
                findings.note(&format!("{key}.path"), message, "use it, or take a path without it");
            }
        }
        let touched = &mut api.operations[index].terms.touched;
        let (reads, writes) = written(&endpoint.kind);
        if endpoint.cache.is_some() && !touched.writes.is_empty() {
            findings.fault(
                &format!("{key}.cache"),
                "what writes is never cached",
                "remove cache, or write a statement that reads only",
            );
        }
        if let Some(reads) = reads {
            compare(findings, &format!("{key}.reads"), "reads", &touched.reads, reads);
            touched.reads = overridden(plan, &touched.reads, reads);
        }
        if let Some(writes) = writes {
            compare(findings, &format!("{key}.writes"), "writes", &touched.writes, writes);
            touched.writes = overridden(plan, &touched.writes, writes);
        }
    }
}

/// The file may be finer than the database, but leave no table out.
fn compare(findings: &mut Findings<'_>, key: &str, verb: &str, asked: &[Tag], written: &[String]) {
    let plan = findings.plan;
    let told: Vec<TableRef> =
        written.iter().filter_map(|text| tag(plan, text)).map(|tag| tag.table).collect();
    for table in asked.iter().map(|tag| &tag.table) {
        if let TableRef::Declared(index) = table
            && !told.contains(table)
        {
            let name = &plan.tables[*index].name;
            findings.fault(
                key,
                format!("the statement {verb} {name} too, with its triggers and cascades"),
                format!("add \"{name}\", or leave {verb} out: it is asked of the database"),
            );
        }
    }
    for table in told.iter().filter(|table| asked.iter().all(|tag| tag.table != **table)) {
        let name = table.name(plan);
        findings.note(key, format!("the statement never {verb} {name}"), format!("remove \"{name}\""));
    }
}

fn check_columns(findings: &mut Findings<'_>, key: &str, sql: &SqlEndpoint, asked: &Compiled) {
    let names = &asked.columns;
    let shown = || if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    if sql.shape == Shape::Value && names.len() > 1 {
        findings.fault(
            &format!("{key}.shape"),
            format!("a value is one column; the statement returns {}: {}", names.len(), shown()),
            "return one column, or take shape = \"row\"",
        );
    }
    if sql.shape != Shape::Value {
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                let at = findings.sql_key(key);
                findings.fault(
                    &at,
                    format!("the result has two columns {name}"),
                    "name one of them otherwise, with AS",
                );
            }
        }
    }
    for (name, _) in sql.columns.iter().filter(|(name, _)| !names.contains(name)) {
        let at = key_of(&format!("{key}.columns"), name);
        findings.fault(&at, "names no column that the statement returns", format!("it returns {}", shown()));
    }
    for (index, text) in sql.order.iter().enumerate() {
        let name = text.split('.').next().unwrap_or(text);
        if !names.iter().any(|known| known == name) {
            let at = format!("{key}.order[{index}]");
            findings.fault(
                &at,
                format!("{name} is no column that the statement returns"),
                format!("it returns {}", shown()),
            );
        }
    }
    if let Some(reply) = &sql.reply {
        check_reply(findings, format!("{key}.reply"), reply, names);
    }
}

/// The status of an answer without a body.
const NO_CONTENT: u16 = 204;

/// A write whose answer shows a row, and which gives none, is done and answered with null.
fn note_null(findings: &mut Findings<'_>, key: &str, sql: &SqlEndpoint, asked: &Compiled) {
    let has_body = sql.status != Some(NO_CONTENT);
    if sql.shape == Shape::Rows || asked.readonly || !asked.columns.is_empty() || !has_body {
        return;
    }
    if sql.reply.as_ref().is_none_or(shows_rows) {
        let at = findings.sql_key(key);
        findings.note(
            &at,
            "the statement returns no row, so that the answer is null",
            "add RETURNING with the columns of the answer, or write reply = { … }",
        );
    }
}

/// The column that is tried.
const TRIED: &str = "ringmill_tried";

/// Whether the answer gets another column when a table of the statement gets one; tried in the copy of the schema.
fn grows(compiler: &Compiler, statement: &str, asked: &Compiled) -> bool {
    let tables = asked.reads.iter().chain(&asked.targets);
    tables.into_iter().any(|table| {
        let add = format!("SAVEPOINT {TRIED}; ALTER TABLE {} ADD COLUMN {TRIED} INTEGER", quote(table));
        // A view, or a table that is none of ordinary rows: no column is added to it.
        let grown = compiler.change(&add).ok().and_then(|()| compiler.compile(statement).ok());
        // What was not begun is not taken back.
        let _ = compiler.change(&format!("ROLLBACK TO {TRIED}; RELEASE {TRIED}"));
        grown.is_some_and(|grown| grown.columns.len() > asked.columns.len())
    })
}

/// `*` answers with what a table has at the start: columns that the file hides, and those that it gets later.
fn note_star(
    findings: &mut Findings<'_>,
    key: &str,
    (sql, statement): (&SqlEndpoint, &str),
    asked: &Compiled,
    compiler: &Compiler,
) {
    let is_shown = sql.reply.as_ref().is_none_or(shows_rows);
    if sql.shape == Shape::Value || !is_shown || !sql.sql.contains('*') || !grows(compiler, statement, asked)
    {
        return;
    }
    let touched =
        |name: &str| asked.reads.iter().chain(&asked.targets).any(|table| table.eq_ignore_ascii_case(name));
    let is_returned = |name: &str| asked.columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    let tables = findings.plan.tables.iter().filter(|table| touched(&table.sql_name));
    let hidden = tables.flat_map(|table| {
        let columns = table.columns.iter().filter(|column| column.hidden && is_returned(&column.name));
        columns.map(|column| format!("{}.{}", table.name, column.name))
    });
    let hidden = hidden.collect::<Vec<_>>().join(", ");
    let message = match hidden.as_str() {
        "" => "`*` answers with every column that its tables have at the start, also with those that they get later".into(),
        hidden => format!("`*` answers with every column of its tables, with {hidden} too, which the file hides"),
    };
    let at = findings.sql_key(key);
    findings.note(&at, message, "name the columns of the answer");
}

/// Whether rows stand in a reply as they are.
fn shows_rows(reply: &Template) -> bool {
    match reply {
        Template::Row | Template::Rows => true,
        Template::Object(entries) => entries.iter().any(|(_, inner)| shows_rows(inner)),
        Template::Array(items) => items.iter().any(shows_rows),
        _ => false,
    }
}

fn check_reply(findings: &mut Findings<'_>, key: String, reply: &Template, names: &[String]) {
    match reply {
        Template::RowColumn(name) if !names.contains(name) => {
            let remedy = match names {
                [] => "it returns nothing: add RETURNING".to_owned(),
                names => format!("it returns {}", names.join(", ")),
            };
            findings.fault(
                &key,
                format!("\"@row.{name}\" names no column that the statement returns"),
                remedy,
            );
        }
        Template::Object(entries) => {
            entries.iter().for_each(|(name, inner)| check_reply(findings, key_of(&key, name), inner, names));
        }
        Template::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered
                .for_each(|(index, inner)| check_reply(findings, format!("{key}[{index}]"), inner, names));
        }
        _ => {}
    }
}

/// Whether a parameter stands in a reply.
fn shows(reply: &Template, name: &str) -> bool {
    match reply {
        Template::Parameter(shown) => shown == name,
        Template::Object(entries) => entries.iter().any(|(_, inner)| shows(inner, name)),
        Template::Array(items) => items.iter().any(|inner| shows(inner, name)),
        _ => false,
    }
}
