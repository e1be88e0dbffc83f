//! What happens at the same time: clients that change different columns of a row, and `ringmill migrate` beside a server at work.

use crate::server::{Server, Setup, run};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

const ROWS: &str = r#"
[tables.rows]
list = "/rows"
item = "/rows/{id}"
[tables.rows.replies]
list = "@rows"
[tables.rows.columns]
id = { type = "bigint", generated = "identity" }
a = "bigint"
b = "bigint"
c = "bigint"
d = { type = "bigint", hidden = true }
e = { type = "bigint", hidden = true }
[endpoints.hidden]
path = "/hidden"
sql = "SELECT d, e FROM rows WHERE id = 1"
shape = "row"
"#;

const WRITES: usize = 100;

/// A PATCH, and of hidden columns a PUT, leaves alone what it does not name.
#[test]
fn writes_of_different_columns_lose_nothing() {
    let server = Setup::shards(4).file(ROWS).start();
    assert_eq!(server.connect().ask("POST", "/rows", Some("{}")).status, 201);
    std::thread::scope(|scope| {
        for (column, path) in
            [("a", "/rows/1"), ("b", "/rows/1"), ("c", "/rows/1"), ("d", "/hidden"), ("e", "/hidden")]
        {
            let mut client = server.connect();
            scope.spawn(move || {
                for n in 0..WRITES {
                    let body = format!(r#"{{"{column}":{n}}}"#);
                    client.ask("PATCH", "/rows/1", Some(&body)).is(200, r#"{"message":"Updated"}"#);
                    assert_eq!(client.get(path).json()[column], n, "nobody else writes {column}");
                }
            });
        }
    });
    let last = WRITES - 1;
    let row = format!(r#"{{"id":1,"a":{last},"b":{last},"c":{last}}}"#);
    let client = &mut server.connect();
    client.get("/rows/1").is(200, &row);
    client.ask("PUT", "/rows/1", Some(r#"{"a":1}"#)).is(200, r#"{"message":"Updated"}"#);
    client.get("/rows/1").is(200, r#"{"id":1,"a":1,"b":null,"c":null}"#);
    client.get("/hidden").is(200, &format!(r#"{{"d":{last},"e":{last}}}"#));
}

/// Reads and writes without end until told; how many there were.
fn work(server: &Server, is_over: &AtomicBool, answered: &AtomicUsize) {
    let client = &mut server.connect();
    while !is_over.load(Relaxed) {
        for (method, path, body) in [
            ("GET", "/rows", None),
            ("GET", "/rows/1", None),
            ("POST", "/rows", Some(r#"{"a":1}"#)),
            ("PATCH", "/rows/1", Some(r#"{"b":2}"#)),
            ("GET", "/hidden", None),
        ] {
            let answer = client.ask(method, path, body);
            assert!(matches!(answer.status, 200 | 201), "{method} {path}: {answer:?}");
            answered.fetch_add(1, Relaxed);
        }
    }
}

/// A change of the schema makes every connection prepare its statements anew; no answer shows that.
#[test]
fn migrations_beside_a_server_at_work_fail_no_request() {
    let server = Setup::shards(2).file(ROWS).start();
    assert_eq!(server.connect().ask("POST", "/rows", Some("{}")).status, 201);
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..4).map(|_| scope.spawn(|| work(&server, &is_over, &answered))).collect();
        let mut file = ROWS.to_owned();
        for step in 0..4 {
            let column = format!("a = \"bigint\"\nmore_{step} = {{ type = \"bigint\", default = {step} }}\n");
            file = file.replacen("a = \"bigint\"\n", &column, 1);
            file = file.replacen(
                "[tables.rows]\n",
                &format!("[tables.t{step}.columns]\nid = \"bigint\"\n[tables.rows]\n"),
                1,
            );
            if step == 2 {
                file = file.replacen(
                    "[tables.rows]\n",
                    "[tables.rows]\nindexes = [[\"a\"], [\"b\", \"c\"]]\n",
                    1,
                );
            }
            std::fs::write(server.folder().join("ringmill.toml"), &file).expect("a file");
            let before = answered.load(Relaxed);
            let ended = run(server.folder(), &["migrate"]);
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            // And every one of them goes on after it.
            while answered.load(Relaxed) < before + 40 && !working.iter().any(|thread| thread.is_finished()) {
                std::thread::yield_now();
            }
        }
        is_over.store(true, Relaxed);
    });
    let metrics = server.metrics();
    let failed: Vec<_> = metrics
        .series("http_requests_total")
        .into_iter()
        .filter(|(labels, _)| labels.contains("status=\"5"))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    server.connect().get("/rows?per_page=1").is(200, r#"[{"id":1,"a":null,"b":2,"c":null}]"#);
}
