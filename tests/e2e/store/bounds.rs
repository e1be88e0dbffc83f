//! What takes too long, is too large or comes from someone who has gone.

use super::{FAILED, FILE, assert_sound, is_unavailable, thing};
use crate::server::{Server, Setup};
use rusqlite::Connection;

/// Readers of the store.
const READERS: usize = 4;

const SLOW_WRITE: &str = r#"{"key":"never"}"#;

fn count(server: &Server) -> u64 {
    server.connect().get("/api/things").json()["total"].as_u64().expect("a total")
}

#[test]
fn a_long_statement_is_ended_and_hurts_nobody_in_its_group() {
    const NEIGHBOURS: usize = 24;
    let server = Setup::shards(2).file(FILE).set("database.statement_timeout", "100ms").start();
    is_unavailable(&server.connect().get("/api/slow"));
    std::thread::scope(|scope| {
        for n in 0..NEIGHBOURS {
            let mut client = server.connect();
            scope.spawn(move || {
                if n % 8 == 3 {
                    is_unavailable(&client.ask("POST", "/api/slow", Some(SLOW_WRITE)));
                } else {
                    let response = client.ask("POST", "/api/things", Some(&thing(&format!("n{n}"), 1)));
                    assert_eq!(response.status, 201, "{response:?}");
                }
            });
        }
    });
    assert_eq!(
        count(&server),
        (NEIGHBOURS - NEIGHBOURS / 8) as u64,
        "a write that was ended has done nothing"
    );
    assert_sound(&server.database());
}

#[test]
fn who_goes_away_while_the_database_works_leaves_nothing_behind() {
    let server = Setup::shards(2).file(FILE).set("database.statement_timeout", "200ms").start();
    for n in 0..40 {
        let mut client = server.connect();
        let body = format!("Content-Length: {}", SLOW_WRITE.len());
        client.send(match n % 4 {
            0 => format!("POST /api/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{body}\r\n\r\n{SLOW_WRITE}"),
            _ => "GET /api/slow HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        });
        if n % 2 == 0 {
            client.vanish();
        }
    }
    server.metrics_when("that nothing is under way", |metrics| {
        metrics.value("ringmill_db_under_way{server=\"sqlite\"}") == 0.0
            && metrics
                .series("ringmill_mesh_messages_total")
                .iter()
                .any(|(kind, n)| kind.contains("stored") && *n >= 40.0)
    });
    assert_eq!(count(&server), 0);
}

#[test]
fn who_waits_too_long_for_a_thread_of_the_database_is_refused() {
    let server = Setup::shards(1)
        .file(FILE)
        .set("database.statement_timeout", "1s")
        .set("database.wait_timeout", "50ms")
        .start();
    let mut slow: Vec<_> = (0..READERS * 2).map(|_| server.connect()).collect();
    for client in &mut slow {
        client.send("GET /api/slow HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for mut client in slow {
        is_unavailable(&client.read());
    }
    let metrics = server.metrics();
    let refused = metrics.value("ringmill_db_wait_timeouts_total{server=\"sqlite\"}");
    // One reader is kept for reads by key; three were at work.
    assert_eq!(refused, (READERS * 2 - (READERS - 1)) as f64);
    assert_eq!(
        server.connect().get("/ready").text(),
        r#"{"status":"ready"}"#,
        "that is no fault of the file"
    );
}

#[test]
fn a_reply_beyond_16_mib_is_500_and_names_route_and_bound() {
    let server = Setup::shards(1).file(FILE).start();
    let client = &mut server.connect();
    let rows = client.get("/api/large?mib=15").json();
    assert_eq!(rows.as_array().map(Vec::len), Some(15));
    assert!(
        rows.as_array().expect("rows").iter().all(|row| row["pad"].as_str().map(str::len) == Some(1 << 20))
    );
    let response = client.get("/api/large?mib=17");
    response.is(500, FAILED);
    let id = response.field("X-Request-Id").expect("an id");
    let line = server.log_line("of the request", |line| line["request_id"] == id);
    assert_eq!(line["route"], "/api/large");
    assert!(line["cause"].as_str().is_some_and(|cause| cause.contains("16 MiB")), "{line}");
    client.goes_on();
}

#[test]
fn large_answers_that_nobody_reads_are_so_many_and_no_more() {
    // 15 MiB each; 256 MiB of them may be on their way, and what the four readers have at hand.
    const ASKED: usize = 40;
    const MOST: usize = 256 / 15 + READERS;
    let server = Setup::shards(2).file(FILE).set("database.wait_timeout", "30s").start();
    let clients: Vec<_> = (0..ASKED)
        .map(|_| {
            let mut client = server.connect();
            client.send("GET /api/large?mib=15 HTTP/1.1\r\nHost: x\r\n\r\n");
            client
        })
        .collect();
    let answered = |metrics: &crate::server::Metrics, status: u16| {
        let labels = format!("{{method=\"GET\",route=\"/api/large\",status=\"{status}\"}}");
        metrics.value(&format!("http_requests_total{labels}")) as usize
    };
    let metrics = server
        .metrics_when("all of them", |metrics| answered(metrics, 200) + answered(metrics, 503) == ASKED);
    let (taken, resident) =
        (answered(&metrics, 200), metrics.value("process_resident_memory_bytes") / 1048576.0);
    println!("{taken} of {ASKED} answered, {resident:.0} MiB resident");
    assert!((1..=MOST).contains(&taken), "{taken} of {ASKED}");
    server.connect().get("/api/things").is(200, r#"{"things":[],"total":0,"page":1,"per_page":20}"#);
    clients.into_iter().for_each(crate::client::Client::vanish);
    let deadline = std::time::Instant::now() + crate::server::PATIENCE;
    while server.connect().get("/api/large?mib=15").status != 200 {
        assert!(std::time::Instant::now() < deadline, "room never comes back");
    }
}

#[test]
fn a_row_of_several_mebibytes_stays_whole() {
    let server = Setup::shards(1).file(FILE).set("http.max_body", "8MiB").start();
    let client = &mut server.connect();
    let pad: String = (0..3_000_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let body = format!(r#"{{"key":"large","a":1,"b":1,"pad":"{pad}"}}"#);
    assert_eq!(client.ask("POST", "/api/things", Some(&body)).json()["pad"], pad);
    assert_eq!(client.get("/api/things/1").json()["pad"], pad);
    assert_eq!(client.get("/api/things").json()["things"][0]["pad"], pad);
}

#[test]
fn the_log_is_bounded_again_once_a_reader_lets_it_go() {
    const LOG_KEPT_MIB: u64 = 64;
    let server = Setup::shards(2).file(FILE).set("http.max_body", "8MiB").start();
    let pad = "x".repeat(2_000_000);
    let mut keys = 0..;
    let mut write = |count: usize| {
        let mut client = server.connect();
        for key in keys.by_ref().take(count) {
            let body = format!(r#"{{"key":"k{key}","pad":"{pad}"}}"#);
            assert_eq!(client.ask("POST", "/api/things", Some(&body)).status, 201);
        }
    };
    let log_mib =
        || std::fs::metadata(server.database().with_extension("db-wal")).expect("a log").len() >> 20;
    write(1);
    let reader = Connection::open(server.database()).expect("the database opens");
    reader.execute_batch("BEGIN").expect("a snapshot");
    let seen = |reader: &Connection| -> i64 {
        reader.query_row("SELECT count(*) FROM things", [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(seen(&reader), 1);
    write(60);
    assert_eq!(seen(&reader), 1, "its snapshot stays");
    let held = log_mib();
    assert!(held > LOG_KEPT_MIB, "{held} MiB while a reader holds it");
    reader.execute_batch("COMMIT").expect("it ends");
    // The next checkpoint finds nobody; the log starts anew and is cut to what it may keep.
    write(5);
    let after = log_mib();
    println!("{held} MiB of log while a reader held it, {after} MiB after");
    assert!(after <= LOG_KEPT_MIB, "{after} MiB");
    assert_sound(&server.database());
}

#[test]
fn a_statement_is_prepared_once_for_each_connection() {
    let server = Setup::shards(2).file(FILE).start();
    let prepared = || server.metrics().value("ringmill_db_prepared_total{server=\"sqlite\"}");
    let mut round = server.round();
    let body = |n: usize| thing(&format!("k{n}"), n);
    let mut ask = |from: usize, count: usize| {
        for n in from..from + count {
            assert_eq!(round.ask("POST", "/api/things", Some(&body(n))).status, 201);
            assert_eq!(round.get("/api/things/1").status, 200);
            assert_eq!(round.get("/api/things").status, 200);
        }
    };
    ask(0, 100);
    // An INSERT by the writer; a SELECT by key, a list and its count by each of the readers.
    let most = (1 + 3 * READERS) as f64;
    let first = prepared();
    assert!(first <= most, "{first} statements prepared for 300 requests");
    // Another process changes the schema: prepared anew, without an error.
    let other = Connection::open(server.database()).expect("the database opens");
    other
        .execute_batch("ALTER TABLE things ADD COLUMN more TEXT; CREATE INDEX by_a ON things (a)")
        .expect("a change");
    ask(100, 100);
    let second = prepared();
    assert!(second > first && second <= 2.0 * most, "{second} after a change of the schema, {first} before");
}
