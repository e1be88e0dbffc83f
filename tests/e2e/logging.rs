//! The log and failures: what is sent, what stands in the log, and what connects the two.

use crate::server::{PATIENCE, Setup};
use serde_json::Value;
use std::time::Instant;

const ENDPOINTS: &str = r#"
[endpoints.endless]
path = "/endless"
timeout = "200ms"
sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"
shape = "row"

[endpoints.busy]
path = "/busy/{steps}"
params = { steps = { type = "integer" } }
sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $steps) SELECT count(*) AS n FROM n"
shape = "row"

[endpoints.overflow]
path = "/overflow"
sql = "SELECT abs(-9223372036854775807 - 1) AS n"
shape = "row"

[endpoints.huge]
path = "/huge"
sql = "SELECT hex(zeroblob(9000000)) AS h"
shape = "row"

[endpoints.late]
path = "/late"
methods = ["POST"]
params = { email = "users.email" }
sql = """
INSERT INTO users (name, email) SELECT 'late ' || count(*), $email
FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000) SELECT i FROM n)"""
"#;

fn assert_is_a_line(line: &Value, level: &str) {
    let keys: Vec<_> = line.as_object().expect("an object").keys().take(5).collect();
    assert_eq!(keys, ["timestamp", "level", "message", "path", "line"], "{line}");
    assert_eq!(line["level"], level, "{line}");
    let timestamp = line["timestamp"].as_str().expect("a timestamp");
    assert!(timestamp.len() == 27 && timestamp.ends_with('Z'), "{timestamp}");
    assert!(
        line["path"].as_str().is_some_and(|path| path.ends_with(".rs")) && line["line"].is_u64(),
        "{line}"
    );
}

fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}

#[test]
fn a_slow_request_is_told_with_its_path_and_how_long_it_took() {
    let server = Setup::shards(2).and(ENDPOINTS).set("log.slow_request", "20ms").start();
    let client = &mut server.connect();
    assert_eq!(client.get("/busy/10").status, 200);
    assert_eq!(client.get("/busy/3000000?x=y").status, 200);
    let line = server.log_line("about a slow request", |line| message(line).starts_with("Slow request: "));
    assert_is_a_line(&line, "WARN");
    let seconds = message(&line)
        .strip_prefix("Slow request: /busy/3000000 took ")
        .and_then(|rest| rest.strip_suffix('s'));
    let seconds = seconds.unwrap_or_else(|| panic!("{line}"));
    assert!(seconds.split_once('.').is_some_and(|(_, fraction)| fraction.len() == 2), "{line}");
    assert!(seconds.parse::<f64>().is_ok_and(|seconds| seconds >= 0.02), "{line}");
    assert_eq!(
        (&line["route"], &line["status"], &line["method"]),
        (&"/busy/{steps}".into(), &200.into(), &"GET".into())
    );
}

#[test]
fn every_line_is_json_and_access_says_which_requests_have_one() {
    for (access, expected) in [
        (
            "all",
            vec![
                "GET /api/data 200",
                "GET /busy/7 200",
                "POST /api/users 400",
                "GET /x%20y 404",
                "UNKNOWN /api/data 501",
            ],
        ),
        ("errors", vec!["POST /api/users 400", "GET /x%20y 404", "UNKNOWN /api/data 501"]),
        ("off", vec![]),
    ] {
        let mut server = Setup::shards(2).and(ENDPOINTS).set("log.access", access).start();
        let client = &mut server.connect();
        client.get("/api/data?secret=1");
        client.get("/busy/7");
        client.ask("POST", "/api/users", Some("{}"));
        client.get("/x%20y");
        client.ask("BREW", "/api/data", None);
        assert_eq!(server.term(), Some(0));
        let log = server.stderr_at_end();
        let mut told = Vec::new();
        for text in &log {
            let line: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_is_a_line(&line, line["level"].as_str().unwrap_or_default());
            if message(&line).split(' ').count() == 3 && message(&line).contains(" /") {
                assert!(line["execution_time_ms"].is_number() && line["core"].is_number(), "{line}");
                told.push(message(&line).to_owned());
            }
        }
        assert_eq!(told, expected, "{access}: {log:#?}");
        assert!(!log.join("").contains("secret"), "{log:#?}");
    }
}

#[test]
fn level_and_format_are_the_files() {
    let mut server = Setup::shards(1).set("log.level", "error").start();
    server.connect().ask("BREW", "/api/data", None);
    assert_eq!(server.term(), Some(0));
    assert_eq!(server.stderr_at_end(), Vec::<String>::new());
    let mut server = Setup::shards(1).set("log.format", "text").start();
    server.connect().ask("BREW", "/api/data", None);
    assert_eq!(server.term(), Some(0));
    let log = server.stderr_at_end();
    assert!(log.iter().any(|line| line.contains(" WARN ") && line.contains("501")), "{log:?}");
    assert!(log.iter().all(|line| !line.starts_with('{')), "{log:?}");
}

#[test]
fn a_failure_is_answered_without_its_cause_and_found_in_the_log_by_its_id() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let round = &mut server.round();
    let unavailable = r#"{"error":"Service unavailable"}"#;
    let internal = r#"{"error":"Internal server error"}"#;
    let longest = "i".repeat(128);
    for (target, status, body, cause) in [
        ("/endless", 503, unavailable, "timeout"),
        ("/overflow", 500, internal, "overflow"),
        ("/huge", 500, internal, "larger"),
    ] {
        for own in ["id-1!~", &longest] {
            let field = format!("X-Request-Id: {own}");
            let answer = round.next().ask_with("GET", target, &[&field], None);
            answer.is(status, body).has("X-Request-Id", Some(own));
            answer.has("Retry-After", (status == 503).then_some("1"));
            let line = server.log_line("with that id", |line| {
                line["request_id"] == own && line["route"] == target && line["status"] == status
            });
            assert_is_a_line(&line, if status == 500 { "ERROR" } else { "WARN" });
            assert!(line["cause"].as_str().is_some_and(|text| text.contains(cause)), "{line}");
        }
        // What is no good id is replaced by one that is.
        let mut ids = Vec::new();
        for own in [String::new(), "i".repeat(129), "a b".to_owned(), "caf\u{e9}".to_owned()] {
            let answer = round.next().ask_with("GET", target, &[&format!("X-Request-Id: {own}")], None);
            answer.is(status, body);
            let id = answer.field("X-Request-Id").expect("an id").to_owned();
            assert!(id != own && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
            server.log_line("with that id", |line| line["request_id"] == id.as_str());
            ids.push(id);
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }
    // Others have none.
    let answer = round.next().ask_with("GET", "/api/data", &["X-Request-Id: x"], None);
    answer.has("X-Request-Id", None);
    let answer = round.next().ask_with("BREW", "/api/data", &["X-Request-Id: brew"], None);
    answer.is(501, r#"{"error":"Not implemented"}"#).has("X-Request-Id", Some("brew"));
    server.log_line("with that id", |line| line["request_id"] == "brew" && line["status"] == 501);
    round.next().goes_on();
}

#[test]
fn a_refused_head_of_500_and_above_is_in_the_log_too() {
    let server = Setup::shards(2).start();
    for bytes in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ] {
        let client = &mut server.connect();
        client.send(bytes);
        let answer = client.read();
        let id = answer.field("X-Request-Id").unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        let status = answer.status;
        server.log_line("with that id", |line| line["request_id"] == id.as_str() && line["status"] == status);
    }
}

#[test]
fn what_takes_longer_than_a_request_may_is_503_or_for_a_write_504() {
    let server = Setup::shards(2)
        .and(ENDPOINTS)
        .set("http.request_timeout", "300ms")
        .set("database.statement_timeout", "1h")
        .start();
    let client = &mut server.connect();
    let read = client.get("/busy/20000000");
    read.is(503, r#"{"error":"Service unavailable"}"#).has("Retry-After", Some("1"));
    assert!(read.field("X-Request-Id").is_some(), "{read:?}");
    client.goes_on();
    let write = client.ask("POST", "/late", Some(r#"{"email":"late@example.com"}"#));
    write.is(504, r#"{"error":"Outcome unknown"}"#).has("Retry-After", None);
    assert!(write.field("X-Request-Id").is_some(), "{write:?}");
    client.goes_on();
    // It went on.
    let deadline = Instant::now() + PATIENCE;
    while server.connect().get("/api/user/1").status != 200 {
        assert!(Instant::now() < deadline, "the write was given up");
    }
    let expected = r#"{"id":1,"name":"late 20000000","email":"late@example.com"}"#;
    client.get("/api/user/1").is(200, expected);
}

#[test]
fn a_write_that_runs_longer_than_its_statement_may_is_rolled_back() {
    let server = Setup::shards(2).and(ENDPOINTS).set("database.statement_timeout", "200ms").start();
    let client = &mut server.connect();
    let write = client.ask("POST", "/late", Some(r#"{"email":"late@example.com"}"#));
    write.is(503, r#"{"error":"Service unavailable"}"#).has("Retry-After", Some("1"));
    assert_eq!(client.get("/api/users").json()["total"], 0);
    assert_eq!(
        client.ask("POST", "/api/user", Some(r#"{"name":"x","email":"late@example.com"}"#)).status,
        200
    );
}
