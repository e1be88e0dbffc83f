//! Which field a refusal by the database names: one that the client gave or can change, whatever capitals the database writes.

use crate::checking::{folder_with, script};
use crate::server::Setup;

const PEOPLE: &str = r#"
[tables.People]
noun = "Person"
list = "/people"
item = "/people/{id}"
indexes = [{ columns = ["id", "team"], unique = true }]
[tables.People.columns]
id = { type = "bigint", generated = "identity" }
Email = { type = "text", unique = true }
age = "bigint"
team = "text"
need = "text"

[endpoints.add]
path = "/add"
methods = ["POST"]
params = { Email = "People.Email", age = { type = "bigint", required = false }, need = { type = "text", required = false } }
sql = "INSERT INTO People (Email, age, need) VALUES ($Email, $age, $need)"
shape = "row"
status = 204
"#;

/// The same with other capitals, and rules that only the database has.
const PEOPLE_TABLE: &str = r#"CREATE TABLE people (ID INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT UNIQUE,
    AGE INTEGER CONSTRAINT Age CHECK (AGE < 200), team TEXT, NEED TEXT NOT NULL DEFAULT 'x', UNIQUE (ID, team))"#;

#[test]
fn capitals_of_the_database_make_no_difference() {
    // A start refuses rules that are narrower than the file's, so they come after it.
    let wide = PEOPLE_TABLE.replace("CONSTRAINT Age CHECK (AGE < 200)", "").replace("NOT NULL", "");
    let server = Setup::shards(1).folder(folder_with(PEOPLE, &[&wide])).start();
    script(server.folder(), &["DROP TABLE people", PEOPLE_TABLE]);
    let client = &mut server.connect();
    client.ask("POST", "/add", Some(r#"{"Email":"a","need":"x"}"#)).is(204, "");
    let conflict = r#"{"error":"Failed to create person","errors":{"Email":["is already taken"]}}"#;
    client.ask("POST", "/people", Some(r#"{"Email":"a","need":"x"}"#)).is(409, conflict);
    let conflict = r#"{"error":"Conflict","errors":{"Email":["is already taken"]}}"#;
    client.ask("POST", "/add", Some(r#"{"Email":"a","need":"x"}"#)).is(409, conflict);
    for (body, field, words) in [
        (r#"{"Email":"b","age":200,"need":"x"}"#, "age", "is not allowed"),
        (r#"{"Email":"b","need":null}"#, "need", "is required"),
    ] {
        for path in ["/people", "/add"] {
            let expected = format!(r#"{{"error":"Validation failed","errors":{{"{field}":["{words}"]}}}}"#);
            client.ask("POST", path, Some(body)).is(400, &expected);
        }
    }
}

const SEATS: &str = r#"
[tables.rooms]
list = "/rooms"
item = "/rooms/{id}"
[tables.rooms.columns]
id = { type = "bigint", generated = "identity" }
name = { type = "text", unique = true }
size = "bigint"

[tables.seats]
list = "/seats"
item = "/seats/{room}/{number}"
key = ["room", "number"]
indexes = [{ columns = ["room", "guest"], unique = true }]
[tables.seats.columns]
room = { type = "text", references = "rooms.name" }
number = "bigint"
guest = "text"
next_to = { type = "text", references = "rooms.name", default = "lobby" }
"#;

#[test]
fn the_field_is_one_that_the_client_can_change() {
    let server = Setup::shards(1).file(SEATS).start();
    let client = &mut server.connect();
    for name in ["lobby", "hall"] {
        let room = format!(r#"{{"name":"{name}"}}"#);
        assert_eq!(client.ask("POST", "/rooms", Some(&room)).status, 201);
    }
    for number in [1, 2] {
        let seat = format!(r#"{{"room":"hall","number":{number},"guest":"g{number}"}}"#);
        assert_eq!(client.ask("POST", "/seats", Some(&seat)).status, 201);
    }
    // Of the two columns of the index one is the key's.
    let taken = r#"{"error":"Failed to create seat","errors":{"guest":["is already taken"]}}"#;
    client.ask("PATCH", "/seats/hall/2", Some(r#"{"guest":"g1"}"#)).is(409, taken);
    let taken = r#"{"error":"Failed to create seat","errors":{"room":["is already taken"],"guest":["is already taken"]}}"#;
    client.ask("POST", "/seats", Some(r#"{"room":"hall","number":3,"guest":"g1"}"#)).is(409, taken);
    // What others refer to is not the key.
    let referred = r#"{"error":"Conflict","errors":{"name":["is still referred to"]}}"#;
    client.ask("PATCH", "/rooms/2", Some(r#"{"name":"attic"}"#)).is(409, referred);
    client.ask("PUT", "/rooms/2", Some(r#"{"name":"attic","size":1}"#)).is(409, referred);
    client.ask("PATCH", "/rooms/2", Some(r#"{"size":1}"#)).is(200, r#"{"message":"Updated"}"#);
    let referred = r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#;
    client.ask("DELETE", "/rooms/2", None).is(409, referred);
    // A reference that nobody gave but the file.
    client.ask("PATCH", "/seats/hall/1", Some(r#"{"next_to":null}"#)).is(200, r#"{"message":"Updated"}"#);
    client.ask("PATCH", "/seats/hall/2", Some(r#"{"next_to":null}"#)).is(200, r#"{"message":"Updated"}"#);
    client.ask("DELETE", "/rooms/1", None).is(200, r#"{"message":"Room deleted"}"#);
    let missing =
        r#"{"error":"Validation failed","errors":{"room":["does not exist"],"next_to":["does not exist"]}}"#;
    client.ask("POST", "/seats", Some(r#"{"room":"hall","number":4}"#)).is(400, missing);
}

const ORDERS: &str = r#"
[tables.orders]
list = "/orders"
item = "/orders/{id}"
replies = { invalid = { no = "@errors" } }
[tables.orders.columns]
id = { type = "bigint", generated = "identity" }
amount = "bigint"
note = "text"

[endpoints.add]
path = "/add"
methods = ["POST"]
params = { amount = "orders.amount", note = "orders.note" }
sql = "INSERT INTO orders (amount, note) VALUES ($amount, $note)"
shape = "row"
status = 204
"#;

const ORDERS_TABLE: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, \
    amount INTEGER CHECK (amount % 7 <> 3), note TEXT, \
    CONSTRAINT polite CHECK (note NOT LIKE '%damn%'), CHECK (amount <> length(note)))";

/// SQLite says no more than the CHECK's name, or its condition.
#[test]
fn a_check_of_the_database_names_its_column() {
    let server = Setup::shards(1).folder(folder_with(ORDERS, &[ORDERS_TABLE])).start();
    let client = &mut server.connect();
    for (body, errors) in [
        (r#"{"amount":10,"note":"x"}"#, r#"{"amount":["is not allowed"]}"#),
        (r#"{"amount":1,"note":"damned"}"#, r#"{"note":["is not allowed"]}"#),
        (r#"{"amount":1,"note":"x"}"#, "{}"),
    ] {
        client.ask("POST", "/orders", Some(body)).is(400, &format!(r#"{{"no":{errors}}}"#));
        let errors = if errors == "{}" { String::new() } else { format!(r#","errors":{errors}"#) };
        let expected = format!(r#"{{"error":"Validation failed"{errors}}}"#);
        client.ask("POST", "/add", Some(body)).is(400, &expected);
    }
}

#[test]
fn what_a_trigger_says_is_told() {
    let triggers = [
        "CREATE TRIGGER i BEFORE INSERT ON orders WHEN NEW.amount > 100 BEGIN SELECT RAISE(ABORT, 'ask \"first\": amount'); END",
        "CREATE TRIGGER l AFTER INSERT ON orders WHEN NEW.note = 'long' BEGIN SELECT RAISE(ABORT, printf('%.*c', 1001, 'ü')); END",
        "CREATE TRIGGER u BEFORE UPDATE ON orders BEGIN SELECT RAISE(FAIL, 'nothing changes'); END",
        "CREATE TRIGGER d BEFORE DELETE ON orders BEGIN SELECT RAISE(ABORT, 'nothing goes'); END",
        "INSERT INTO orders (amount, note) VALUES (1, 'xyz')",
    ];
    let server =
        Setup::shards(1).folder(folder_with(ORDERS, &[&[ORDERS_TABLE], &triggers[..]].concat())).start();
    let client = &mut server.connect();
    let told = r#"{"body":["ask \"first\": amount"]}"#;
    let body = Some(r#"{"amount":101,"note":"x"}"#);
    client.ask("POST", "/orders", body).is(400, &format!(r#"{{"no":{told}}}"#));
    client.ask("POST", "/add", body).is(400, &format!(r#"{{"error":"Validation failed","errors":{told}}}"#));
    let long = format!(r#"{{"no":{{"body":["{}"]}}}}"#, "ü".repeat(1000));
    client.ask("POST", "/orders", Some(r#"{"amount":1,"note":"long"}"#)).is(400, &long);
    let unchanged = r#"{"no":{"body":["nothing changes"]}}"#;
    client.ask("PATCH", "/orders/1", Some(r#"{"amount":2}"#)).is(400, unchanged);
    client.ask("DELETE", "/orders/1", None).is(400, r#"{"no":{"body":["nothing goes"]}}"#);
    client.get("/orders/1").is(200, r#"{"id":1,"amount":1,"note":"xyz"}"#);
}

const NOTES: &str = r#"
[tables.notes]
list = "/notes"
item = "/notes/{id}"
[tables.notes.columns]
id = { type = "bigint", generated = "identity" }
at = "timestamp"
what = { type = "text", required = true, default = "x" }
low = "bigint"
high = "bigint"

[endpoints.stamp]
path = "/stamp"
methods = ["POST"]
sql = "INSERT INTO notes (at) VALUES (CURRENT_TIMESTAMP)"
[endpoints.empty]
path = "/empty"
methods = ["POST"]
sql = "UPDATE notes SET what = NULL"
[endpoints.range]
path = "/range"
methods = ["POST"]
sql = "INSERT INTO notes (low, high) VALUES ($low, $high)"
params = { low = "notes.low", high = "notes.high" }
shape = "row"
status = 204
"#;

/// Of a statement that breaks a rule whatever is sent.
#[test]
fn who_sent_nothing_is_not_to_blame() {
    let server = Setup::shards(1).file(NOTES).start();
    let client = &mut server.connect();
    client
        .ask("POST", "/notes", Some("{}"))
        .is(201, r#"{"id":1,"at":null,"what":"x","low":null,"high":null}"#);
    for (path, cause) in [("/stamp", "CHECK constraint failed: at"), ("/empty", "notes.what is NOT NULL")] {
        let answer = client.ask("POST", path, None);
        answer.is(500, r#"{"error":"Internal server error"}"#);
        let id = answer.field("X-Request-Id").expect("an id").to_owned();
        let line = server.log_line("with that id", |line| line["request_id"] == id.as_str());
        assert_eq!((&line["cause"], &line["level"]), (&cause.into(), &"ERROR".into()));
    }
}

/// A rule of the database that names no field.
#[test]
fn what_no_field_is_to_blame_for_is_logged_once() {
    let table = "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, \
        what TEXT NOT NULL DEFAULT 'x', low INTEGER, high INTEGER, CHECK (low <= high)) STRICT";
    let index = "CREATE UNIQUE INDEX i ON notes (low + high)";
    let log = |path: &str, bodies: &[(&str, u16, &str)], cause: &str| {
        let mut server = Setup::shards(1).folder(folder_with(NOTES, &[table, index])).start();
        let client = &mut server.connect();
        for (body, status, expected) in bodies {
            client.ask("POST", path, Some(body)).is(*status, expected);
        }
        assert_eq!(server.term(), Some(0));
        let log = server.stderr_at_end();
        let lines: Vec<_> = log.iter().filter(|line| line.contains("no field is to blame")).collect();
        let [line] = lines.as_slice() else { panic!("{log:#?}") };
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&line["cause"], &line["route"]), (&cause.into(), &path.into()), "{line}");
    };
    let nobody = r#"{"error":"Validation failed"}"#;
    let broken = r#"{"low":2,"high":1}"#;
    log("/range", &[(broken, 400, nobody), (broken, 400, nobody)], "CHECK constraint failed: low <= high");
    let no_field = r#"{"error":"Validation failed","errors":{}}"#;
    let row = r#"{"id":1,"at":null,"what":"x","low":1,"high":2}"#;
    let body = r#"{"low":1,"high":2}"#;
    log(
        "/notes",
        &[(broken, 400, no_field), (broken, 400, no_field)],
        "CHECK constraint failed: low <= high",
    );
    let taken = r#"{"error":"Failed to create note","errors":{}}"#;
    log(
        "/notes",
        &[(body, 201, row), (r#"{"low":0,"high":3}"#, 409, taken)],
        "unique constraint on an expression",
    );
}
