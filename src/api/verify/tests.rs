//! What operations read and write.

use super::{Depth, TableRef, verify};
use crate::config::{Inputs, Plan, load};
use ringmill_http1::Method;
use ringmill_sqlite::{Inspector, Schema, run_script};

const FILE: &str = r#"
[tables.parents]
item = "/parents/{id}"
[tables.parents.columns]
id = { type = "bigint", generated = "identity" }
name = { type = "text", unique = true }
[tables.children.columns]
id = { type = "bigint", generated = "identity" }
parent = { type = "bigint", references = "parents.id", on_delete = "cascade" }
[tables.toys.columns]
id = { type = "bigint", generated = "identity" }
child = { type = "bigint", references = "children.id", on_delete = "set_null" }
[tables.notes.columns]
id = { type = "bigint", generated = "identity" }
parent = { type = "bigint", references = "parents.id" }
"#;

/// What `method /a` of an endpoint of this statement touches; names of tables, those that are not in the file in brackets.
#[track_caller]
fn check(sql: &str, more: &str, reads: &str, writes: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let method = if writes.is_empty() { Method::Get } else { Method::Post };
    let file = format!(
        "{FILE}[endpoints.a]\npath = \"/a/{{id}}\"\nmethods = [\"{}\"]\nsql = \"{sql}\"\n{more}",
        method.as_str()
    );
    std::fs::write(folder.path().join("ringmill.toml"), file).expect("a file");
    let inputs = Inputs {
        config: None,
        working_directory: folder.path(),
        environment: Vec::new(),
        sets: Vec::new(),
        flags: Vec::new(),
    };
    let plan = load(&inputs).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let database = folder.path().join("test.db");
    let statements = [
        "CREATE TABLE audit (what TEXT)",
        "CREATE VIEW both AS SELECT what FROM audit, toys",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER REFERENCES parents (id)) STRICT",
        "CREATE TRIGGER t AFTER INSERT ON notes BEGIN INSERT INTO audit SELECT name FROM parents; END",
    ];
    run_script(&database, &statements.map(str::to_owned)).expect("statements of a test");
    let live = Schema::read(&database).expect("a database").expect("a file");
    let verified = verify(&plan, &live, &Inspector::of_nothing(), Depth::Faults).expect("memory");
    assert_eq!(verified.faults, [], "{sql}");
    let found = verified.api.find("/a/1").expect("a route");
    let touched = &verified.api.terms(found.route, method).expect("an operation").touched;
    let shown = |tags: &[super::Tag]| tags.iter().map(|tag| shown(&plan, tag)).collect::<Vec<_>>().join(" ");
    assert_eq!(
        (shown(&touched.reads), shown(&touched.writes)),
        (reads.to_owned(), writes.to_owned()),
        "{sql}"
    );
}

fn shown(plan: &Plan, tag: &super::Tag) -> String {
    let name = match &tag.table {
        TableRef::Declared(index) => plan.tables[*index].name.clone(),
        TableRef::Other(name) => format!("[{name}]"),
    };
    match &tag.rows {
        Some(rows) => format!("{name}/{rows}"),
        None => name,
    }
}

#[test]
fn statements_of_endpoints() {
    check("SELECT count(*) AS n FROM parents", "", "parents", "");
    check("SELECT 1 AS n", "", "", "");
    check("SELECT what FROM both", "", "toys [audit]", "");
    check("WITH toys AS (SELECT id FROM notes) SELECT id FROM toys", "", "notes", "");
    check("SELECT id FROM PARENTS WHERE EXISTS (SELECT 1 FROM children)", "", "parents children", "");
    check("INSERT INTO notes (parent) VALUES ($id)", "", "parents", "notes [audit]");
    check("DELETE FROM notes WHERE id = $id", "", "parents notes", "notes");
    // Cascades go on from table to table.
    check("DELETE FROM children WHERE id = $id", "", "parents children toys", "children toys");
    check("DELETE FROM parents WHERE id = $id", "", "parents children toys notes", "parents children toys");
    check(
        "INSERT OR REPLACE INTO parents (name) VALUES ($id)",
        "",
        "parents children toys notes",
        "parents children toys",
    );
    check(
        "UPDATE OR REPLACE parents SET name = $id",
        "",
        "parents children toys notes",
        "parents children toys",
    );
    // The file is finer.
    check("SELECT name FROM parents WHERE id = $id", "reads = [\"parents/{id}\"]\n", "parents/{id}", "");
    check(
        "DELETE FROM parents WHERE id = $id RETURNING id",
        "writes = [\"parents/{id}\", \"children\", \"toys\"]\n",
        "parents children toys notes",
        "parents/{id} children toys",
    );
}
