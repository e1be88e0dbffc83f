//! `*` in the result of an SQL endpoint: it answers with all that a table has, and `check` says so.

use crate::checking::{check_notes, folder_with};
use crate::server::Setup;

const FILE: &str = r#"
[tables.users]
list = "/users"
[tables.users.columns]
id = "bigint"
name = "text"
secret = { type = "text", hidden = true }
[endpoints.e]
path = "/e"
"#;
const TABLE: &str =
    "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, name TEXT, secret TEXT, later TEXT) STRICT";
const ROW: &str = "INSERT INTO users VALUES (1, 'Ann', 'hunter2', 'x')";

#[test]
fn a_star_shows_what_is_hidden_and_what_came_later() {
    let file = format!("{FILE}sql = \"SELECT * FROM users\"\n");
    let server = Setup::shards(1).folder(folder_with(&file, &[TABLE, ROW])).start();
    let client = &mut server.connect();
    client.get("/e").is(200, r#"[{"id":1,"name":"Ann","secret":"hunter2","later":"x"}]"#);
    client.get("/users").is(200, r#"{"users":[{"id":1,"name":"Ann"}],"total":1,"page":1,"per_page":20}"#);
}

#[test]
fn a_star_is_noted() {
    let hidden = "`*` answers with every column of its tables, with users.secret too, which the file hides";
    let open = "`*` answers with every column that its tables have at the start, also with those that they get later";
    for (sql, more, words) in [
        ("SELECT * FROM users", "", Some(hidden)),
        ("SELECT u.* FROM users AS u", "reply = { all = [\"@rows\"] }\n", Some(hidden)),
        ("SELECT * FROM (SELECT * FROM users)", "", Some(hidden)),
        ("INSERT INTO users (id) VALUES (2) RETURNING *", "methods = [\"POST\"]\n", Some(hidden)),
        ("SELECT * FROM (SELECT id FROM users)", "", None),
        ("SELECT * FROM json_each('[1]')", "", None),
        ("WITH x AS (SELECT * FROM users) SELECT id FROM x", "", None),
        ("WITH x AS (SELECT * FROM users) SELECT * FROM x", "", Some(hidden)),
        ("SELECT * FROM shown", "", Some(open)),
        ("SELECT * FROM fixed", "", None),
        ("INSERT INTO users SELECT * FROM users WHERE 0 RETURNING id", "methods = [\"POST\"]\n", None),
        ("SELECT * FROM users", "shape = \"row\"\nreply = { id = \"@row.id\" }\n", None),
        ("SELECT id, secret, 2 * id AS twice FROM users", "", None),
        ("SELECT count(*) AS n FROM users", "", None),
    ] {
        let file = format!("{FILE}sql = \"{sql}\"\n{more}");
        let note = words.map(|words| {
            format!("ringmill.toml:10: endpoints.e.sql: {words}; name the columns of the answer")
        });
        let notes: Vec<&str> = note.as_deref().into_iter().collect();
        let shown = "CREATE TABLE plain (id INTEGER PRIMARY KEY) STRICT; CREATE VIEW shown AS SELECT * FROM plain; \
            CREATE VIEW fixed AS SELECT id FROM plain";
        check_notes(&file, &[TABLE, shown], &notes);
    }
}
