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
