//! Writes of which SQLite does not say that they met a row: to views, by INSTEAD OF triggers, and those that a trigger passes over.

use crate::checking::{check_faults, check_notes, folder_with};
use crate::server::Setup;

const NAMES: &str = r#"
[tables.names]
list = "/names"
item = "/names/{id}"
columns = { id = "bigint", name = "text" }
"#;
const SCHEMA: &[&str] = &[
    "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT) STRICT",
    "CREATE VIEW names AS SELECT id, name FROM people",
    "CREATE TRIGGER i INSTEAD OF INSERT ON names BEGIN INSERT INTO people VALUES (NEW.id, NEW.name); END",
    "CREATE TRIGGER u INSTEAD OF UPDATE ON names BEGIN UPDATE people SET name = NEW.name WHERE id = OLD.id; END",
    "CREATE TRIGGER d INSTEAD OF DELETE ON names BEGIN DELETE FROM people WHERE id = OLD.id; END",
    "INSERT INTO people VALUES (1, 'Ann'), (2, 'Bob')",
];

/// NAMES for reading, and an endpoint.
fn with_endpoint(sql: &str, more: &str) -> String {
    let names =
        NAMES.replace("[tables.names]", "[tables.names]\naccess = { list = \"public\", get = \"public\" }");
    format!(
        "{names}[endpoints.a]\npath = \"/a\"\nmethods = [\"POST\"]\nparams = {{ id = {{ type = \"bigint\" }} }}\nsql = \"{sql}\"\n{more}"
    )
}

#[test]
fn a_view_that_may_be_written_is_a_fault() {
    let fault = "ringmill.toml:2: tables.names: names is a view in the database: whether a write to it met a row cannot be told; \
        write access = { list = \"public\", get = \"public\" }, and write through SQL endpoints whose statements have RETURNING";
    check_faults(NAMES, SCHEMA, &[fault]);
    let fault = "ringmill.toml:11: endpoints.a.sql: names is a view: whether the statement met a row cannot be told without \
        RETURNING; add RETURNING with the columns that the answer shows";
    for (sql, more) in [
        ("UPDATE names SET name = 'x' WHERE id = $id", "shape = \"row\"\n"),
        ("DELETE FROM Names WHERE id = $id", "shape = \"row\"\nstatus = 204\n"),
        ("INSERT INTO names (id) VALUES ($id)", "shape = \"value\"\n"),
    ] {
        check_faults(&with_endpoint(sql, more), SCHEMA, &[fault]);
    }
    // Neither rows that need not be there, nor what the trigger of a table does to a view.
    check_notes(&with_endpoint("DELETE FROM names WHERE id = $id", ""), SCHEMA, &[]);
    check_notes(
        &with_endpoint("DELETE FROM names WHERE id = $id RETURNING id", "shape = \"row\"\n"),
        SCHEMA,
        &[],
    );
    let log = [
        "CREATE TABLE log (id INTEGER)",
        "CREATE TRIGGER l AFTER INSERT ON log BEGIN DELETE FROM names WHERE id = NEW.id; END",
    ];
    check_notes(
        &with_endpoint("INSERT INTO log VALUES ($id)", "shape = \"row\"\nstatus = 204\n"),
        &[SCHEMA, &log].concat(),
        &[],
    );
}

#[test]
fn a_view_is_read_and_with_returning_written() {
    let file = with_endpoint("DELETE FROM names WHERE id = $id RETURNING id, name", "shape = \"row\"\n");
    let server = Setup::shards(1).folder(folder_with(&file, SCHEMA)).start();
    let client = &mut server.connect();
    client.get("/names/2").is(200, r#"{"id":2,"name":"Bob"}"#);
    client.ask("POST", "/a", Some(r#"{"id":2}"#)).is(200, r#"{"id":2,"name":"Bob"}"#);
    client.ask("POST", "/a", Some(r#"{"id":2}"#)).is(404, r#"{"error":"Not found"}"#);
    client.get("/names").is(200, r#"{"names":[{"id":1,"name":"Ann"}],"total":1,"page":1,"per_page":20}"#);
}

#[test]
fn a_row_that_a_trigger_passes_over() {
    let file = NAMES.replace("names", "people");
    let triggers = [
        "CREATE TRIGGER i BEFORE INSERT ON people WHEN NEW.name = 'no' BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER u BEFORE UPDATE ON people WHEN NEW.name = 'no' BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER d BEFORE DELETE ON people WHEN OLD.id = 1 BEGIN SELECT RAISE(IGNORE); END",
    ];
    let schema = [&SCHEMA[..1], &triggers, &SCHEMA[5..]].concat();
    let server = Setup::shards(1).folder(folder_with(&file, &schema)).start();
    let client = &mut server.connect();
    client
        .ask("POST", "/people", Some(r#"{"id":3,"name":"no"}"#))
        .is(400, r#"{"error":"Validation failed","errors":{}}"#);
    client.ask("PATCH", "/people/1", Some(r#"{"name":"no"}"#)).is(404, r#"{"error":"People not found"}"#);
    client.ask("DELETE", "/people/1", None).is(404, r#"{"error":"People not found"}"#);
    client.ask("POST", "/people", Some(r#"{"id":3,"name":"Cid"}"#)).is(201, r#"{"id":3,"name":"Cid"}"#);
    client.get("/people/1").is(200, r#"{"id":1,"name":"Ann"}"#);
}

#[test]
fn a_view_without_triggers_is_one_fault() {
    let fault = "ringmill.toml:2: tables.names: names is a view in the database: whether a write to it met a row cannot be told; \
        write access = { list = \"public\", get = \"public\" }, and write through SQL endpoints whose statements have RETURNING";
    check_faults(NAMES, &SCHEMA[..2], &[fault]);
}

#[test]
fn a_write_that_answers_null_is_noted() {
    let people = "[tables.people]\ncolumns = { id = \"bigint\", name = \"text\" }\n";
    let file = |more: &str| {
        format!(
            "{people}[endpoints.a]\npath = \"/a\"\nmethods = [\"POST\"]\nsql = \"UPDATE people SET name = 'x' WHERE id = 1\"\n{more}"
        )
    };
    let note = "ringmill.toml:6: endpoints.a.sql: the statement returns no row, so that the answer is null; \
        add RETURNING with the columns of the answer, or write reply = { … }";
    for (more, notes) in [
        ("shape = \"row\"\n", &[note][..]),
        ("shape = \"row\"\nreply = { row = \"@row\" }\n", &[note]),
        ("shape = \"row\"\nreply = { message = \"done\" }\n", &[]),
        ("shape = \"row\"\nstatus = 204\n", &[]),
        ("", &[]),
    ] {
        check_notes(&file(more), &SCHEMA[..1], notes);
    }
    let returning = file("shape = \"row\"\n").replace("= 1\"", "= 1 RETURNING id\"");
    check_notes(&returning, &SCHEMA[..1], &[]);
}
