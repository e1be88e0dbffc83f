//! The embedded database where it hurts: processes that are killed, disks that are full, files that are locked, damaged,
//! deleted or replaced, and other processes at the same file.

mod bounds;
mod files;
mod full;
mod kill;
mod others;

use crate::client::Response;
use crate::server::{PATIENCE, Server};
use rusqlite::Connection;
use std::path::Path;
use std::time::Instant;

/// A table of which every write sets `a` and `b` alike, and rows beside it that go with theirs. Nothing is limited.
const FILE: &str = r#"
[tables.things]
noun = "Thing"
list = "/api/things"
item = "/api/things/{id}"
page = { default = 20, max = 1000000 }
[tables.things.columns]
id = { type = "bigint", generated = "identity" }
key = { type = "text", unique = true }
a = { type = "bigint" }
b = { type = "bigint" }
pad = { type = "text", default = "" }
[tables.parts]
list = "/api/parts"
page = { default = 20, max = 1000000 }
[tables.parts.columns]
id = { type = "bigint", generated = "identity" }
thing = { type = "bigint", references = "things.id", on_delete = "cascade" }
a = { type = "bigint" }
[endpoints.parts]
methods = ["POST"]
path = "/api/three_parts"
params = { thing = "parts.thing", a = "parts.a" }
sql = "INSERT INTO parts (thing, a) VALUES ($thing, $a), ($thing, $a), ($thing, $a) RETURNING id"
shape = "rows"
[endpoints.slow_read]
path = "/api/slow"
sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n"
[endpoints.slow_write]
methods = ["POST"]
path = "/api/slow"
params = { key = "things.key" }
sql = "INSERT INTO things (key, a) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT $key, max(i) FROM n"
[endpoints.large]
path = "/api/large"
params = { mib = { type = "integer" } }
sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $mib) SELECT i, hex(zeroblob(524288)) AS pad FROM n"
"#;

const UNAVAILABLE: &str = r#"{"error":"Service unavailable"}"#;
const FAILED: &str = r#"{"error":"Internal server error"}"#;

fn thing(key: &str, n: usize) -> String {
    format!(r#"{{"key":"{key}","a":{n},"b":{n}}}"#)
}

/// `integrity_check` and `foreign_key_check`, by another process: this one.
fn assert_sound(path: &Path) {
    let connection = Connection::open(path).expect("the database opens");
    connection.busy_timeout(PATIENCE).expect("a timeout");
    let words: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it can be checked");
    assert_eq!(words, "ok");
    let orphan = connection.query_row("PRAGMA foreign_key_check", [], |_| Ok(()));
    assert_eq!(orphan, Err(rusqlite::Error::QueryReturnedNoRows));
}

/// Checks a refusal that did nothing.
#[track_caller]
fn is_unavailable(response: &Response) {
    response.is(503, UNAVAILABLE).has("Retry-After", Some("1"));
    assert!(response.field("X-Request-Id").is_some(), "{response:?}");
}

/// Asks both listeners until they say so.
fn ready_says(server: &Server, word: &str) {
    let body = format!(r#"{{"status":"{word}"}}"#);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (public, admin) = (server.connect().get("/ready"), server.connect_admin().get("/ready"));
        if public.text() == body && admin.text() == body {
            assert_eq!((public.status, admin.status), (200, 200));
            return;
        }
        assert!(Instant::now() < deadline, "/ready never says {word}: {public:?} {admin:?}");
    }
}

/// Waits for the line that says what is wrong with the file, and checks that it names the file.
fn complains(server: &Server, of: &str) {
    let message = |line: &serde_json::Value| line["message"].as_str().unwrap_or_default().to_owned();
    let line =
        server.log_line(of, |line| message(line).starts_with("The database ") && message(line).contains(of));
    let path = server.database();
    let path = path.strip_prefix(path.ancestors().nth(2).unwrap_or(&path)).expect("a part of it");
    assert!(message(&line).contains(&*path.to_string_lossy()), "{line}");
    assert_eq!(line["level"], "ERROR", "{line}");
}
