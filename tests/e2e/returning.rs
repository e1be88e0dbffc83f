//! What RETURNING of an SQL endpoint shows: the time of a write, and all columns of a table that gets another one.

use crate::checking::{check_notes, script};
use crate::client::Client;
use crate::server::Setup;

const FILE: &str = r#"
[tables.t]
list = "/t"
[tables.t.columns]
id = { type = "bigint", generated = "identity" }
n = "bigint"
at = { type = "timestamp", generated = "on_write" }
[endpoints.e]
path = "/e"
methods = ["POST"]
params = { n = "t.n" }
shape = "row"
"#;
const SET: &str = "at = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')";

fn note() -> String {
    format!(
        "ringmill.toml:13: endpoints.e.sql: RETURNING shows at as it was before: its trigger runs after that; set it in the statement, {SET}"
    )
}

#[test]
fn returning_a_time_that_a_trigger_sets_is_noted() {
    let set = format!("UPDATE t SET n = $n, {SET} WHERE id = 1 RETURNING at");
    for (sql, is_noted) in [
        ("UPDATE t SET n = $n WHERE id = 1 RETURNING id, At", true),
        ("UPDATE t SET n = $n WHERE id = 1 RETURNING *", true),
        ("UPDATE t SET n = $n WHERE id = 1 RETURNING date(at) AS day", true),
        ("INSERT INTO t (id, n) VALUES (1, $n) ON CONFLICT (id) DO UPDATE SET n = $n RETURNING at", true),
        ("UPDATE t SET n = $n WHERE id = 1 AND at < 'x' RETURNING id, n * 2 AS twice", false),
        ("INSERT INTO t (n) VALUES ($n) RETURNING *", false),
        (&set, false),
    ] {
        let file = format!("{FILE}sql = \"{sql}\"\n");
        let note = note();
        eprintln!("{sql}");
        let mut notes = if is_noted { vec![note.as_str()] } else { vec![] };
        if sql.ends_with('*') {
            notes.push(
                "ringmill.toml:13: endpoints.e.sql: `*` answers with every column that its tables have at the start, also with those \
                 that they get later; name the columns of the answer",
            );
        }
        check_notes(&file, &[], &notes);
    }
}

/// What the note says is so, and its remedy is one.
#[test]
fn the_remedy_shows_the_time_of_the_write() {
    for (set, is_new) in [(String::new(), false), (format!(", {SET}"), true)] {
        let sql = format!("UPDATE t SET n = $n{set} WHERE id = 1 RETURNING at");
        let server = Setup::shards(1).file(format!("{FILE}sql = \"{sql}\"\n")).start();
        let client = &mut server.connect();
        let made = client.ask("POST", "/t", Some(r#"{"n":1}"#)).json()["at"].clone();
        let returned = client.ask("POST", "/e", Some(r#"{"n":2}"#)).json()["at"].clone();
        let now = client.get("/t").json()["t"][0]["at"].clone();
        assert_ne!(now, made);
        assert_eq!(returned, if is_new { now } else { made });
    }
}

#[test]
fn what_cannot_be_answered_is_not_done() {
    let sql = "INSERT INTO t (n) VALUES ($n) RETURNING *";
    let server = Setup::shards(1).file(format!("{FILE}sql = \"{sql}\"\n")).start();
    let client = &mut server.connect();
    let add = |client: &mut Client| client.ask("POST", "/e", Some(r#"{"n":1}"#)).status;
    assert_eq!(add(client), 200);
    script(server.folder(), &["ALTER TABLE t ADD COLUMN more TEXT"]);
    for _ in 0..3 {
        assert_eq!(add(client), 500);
    }
    assert_eq!(client.get("/t").json()["total"], 1);
    // The statement that was kept is no hindrance once the table is as it was.
    script(server.folder(), &["ALTER TABLE t DROP COLUMN more"]);
    assert_eq!(add(client), 200);
    let log = server.log().join("\n");
    assert!(log.contains("a table got another column since the start"), "{log}");
}
