//! What is refused, how, and whether the connection lives on.

use crate::client::request;
use crate::server::{SHARDS, Server, Setup};

const BAD_REQUEST: &str = r#"{"error":"Bad request"}"#;

/// Sends this as a connection's second request and expects a refusal that ends the connection.
#[track_caller]
fn is_refused(server: &Server, bytes: &[u8], status: u16, body: &str) {
    eprintln!("{}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
    let client = &mut server.connect();
    client.goes_on();
    client.send_if_taken(bytes);
    let answer = client.read();
    answer.is(status, body).has("Cache-Control", Some("no-store"));
    assert!(answer.closes(), "{answer:?}");
    client.ends();
}

#[test]
fn framing_that_could_be_read_in_two_ways_is_refused() {
    let server = Setup::shards(2).start();
    let body = "{}";
    for head in [
        "GET /health\r\n\r\n",
        "GET  /health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX: \x001\r\n\r\n",
        "GET /health HTTP/1.1\nHost: a\n\n",
        "GET /health HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n",
        "GET health HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT /health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /he#alth HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T /health HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health HTTP/1.x\r\nHost: a\r\n\r\n",
        "GET /health http/1.1\r\nHost: a\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 3\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        "POST /api/users HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        is_refused(&server, format!("{head}{body}").as_bytes(), 400, BAD_REQUEST);
    }
    let chunked = "POST /api/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        "x\r\n",
        "2\n{}",
        "2\r\n{}x\r\n",
        "2 2\r\n",
        "2 \r\n{}\r\n",
        "-1\r\n",
        "\r\n",
        "11111111111111111\r\n",
        "0\r\nX y\r\n",
    ] {
        is_refused(&server, format!("{chunked}{body}").as_bytes(), 400, BAD_REQUEST);
    }
    // Whatever stands behind a refused request is no request.
    let smuggled = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
    let bytes = format!("POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n{smuggled}");
    is_refused(&server, bytes.as_bytes(), 400, BAD_REQUEST);
    server.connect().goes_on();
}

#[test]
fn what_nobody_speaks_is_refused_as_such() {
    let server = Setup::shards(2).start();
    let post = "POST /api/users HTTP/1.1\r\nHost: a\r\n";
    let implemented = r#"{"error":"Not implemented"}"#;
    is_refused(
        &server,
        format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n").as_bytes(),
        501,
        implemented,
    );
    is_refused(&server, format!("{post}Transfer-Encoding: gzip\r\n\r\n").as_bytes(), 501, implemented);
    let expectation = r#"{"error":"Expectation failed"}"#;
    is_refused(
        &server,
        format!("{post}Content-Length: 2\r\nExpect: 200\r\n\r\n").as_bytes(),
        417,
        expectation,
    );
    let version = r#"{"error":"HTTP version not supported"}"#;
    is_refused(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, version);
    is_refused(&server, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, version);
}

#[test]
fn each_bound_of_a_request_has_its_status_and_is_no_smaller_than_it_says() {
    let server = Setup::shards(2)
        .and("[endpoints.echo]\npath = \"/echo\"\nmethods = [\"POST\"]\necho = true\n")
        .set("http.max_head", "2KiB")
        .set("http.max_target", "1KiB")
        .set("http.max_fields", "10")
        .set("http.max_body", "64KiB")
        .start();
    let (target_bytes, head_bytes, body_bytes) = (1024, 2048, 64 * 1024);

    let target = |length: usize| format!("/api/data?{}", "x".repeat(length - "/api/data?".len()));
    let client = &mut server.connect();
    client.ask("GET", &target(target_bytes), None).is(200, r#"{"data":"Your data here"}"#);
    let long = r#"{"error":"Target too long"}"#;
    is_refused(&server, &request("GET", &target(target_bytes + 1), &[], None), 414, long);
    is_refused(&server, format!("GET {}", target(head_bytes)).as_bytes(), 414, long);

    let head = |length: usize| {
        let bare = request("GET", "/api/data", &["X: "], None).len();
        request("GET", "/api/data", &[&format!("X: {}", "x".repeat(length - bare))], None)
    };
    client.send(head(head_bytes));
    client.read().is(200, r#"{"data":"Your data here"}"#);
    let large = r#"{"error":"Header too large"}"#;
    is_refused(&server, &head(head_bytes + 1), 431, large);
    is_refused(&server, &head(100 * head_bytes), 431, large);
    // One of the ten is Host.
    client.ask_with("GET", "/api/data", &["X: 1"; 9], None).is(200, r#"{"data":"Your data here"}"#);
    is_refused(&server, &request("GET", "/api/data", &["X: 1"; 10], None), 431, large);

    let largest = "x".repeat(body_bytes);
    assert!(client.ask("POST", "/echo", Some(&largest)).text() == largest);
    let too_large = r#"{"error":"Body too large"}"#;
    let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body_bytes + 1);
    is_refused(&server, format!("{head}x").as_bytes(), 413, too_large);
    let asks = head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    is_refused(&server, asks.as_bytes(), 413, too_large);
    is_refused(&server, format!("{head}{largest}x").as_bytes(), 413, too_large);
    let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let half = format!("{:x}\r\n{}\r\n", body_bytes / 2, "x".repeat(body_bytes / 2));
    client.send(format!("{chunked}{half}{half}0\r\n\r\n"));
    assert!(client.read().text() == largest);
    is_refused(&server, format!("{chunked}{half}{half}1\r\nx\r\n0\r\n\r\n").as_bytes(), 413, too_large);
    is_refused(&server, format!("{chunked}{:x}\r\n", body_bytes + 1).as_bytes(), 413, too_large);
    client.goes_on();
}

#[test]
fn what_does_not_come_in_time_is_408() {
    let server = Setup::shards(2).set("http.head_timeout", "200ms").set("http.body_timeout", "200ms").start();
    let timeout = r#"{"error":"Request timeout"}"#;
    for begun in [
        "G",
        "GET /health HTTP/1.1\r\nHost: a\r\n",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{",
        "POST /api/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
    ] {
        is_refused(&server, begun.as_bytes(), 408, timeout);
    }
    // Behind answers that are owed it comes last.
    let client = &mut server.connect();
    client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /api/users HTTP/1.1\r\nHost: a\r\n\r\nGET");
    assert_eq!(client.read().status, 200);
    assert_eq!(client.read().status, 200);
    client.read().is(408, timeout);
    client.ends();
}

#[test]
fn a_connection_that_asks_nothing_is_closed_without_a_word() {
    let server = Setup::shards(2).set("http.idle_timeout", "1s").start();
    server.connect().ends();
    let client = &mut server.connect();
    client.goes_on();
    client.ends();
}

#[test]
fn bodies_that_are_no_json_are_refused_and_the_connection_lives_on() {
    for shards in SHARDS {
        let server = Setup::shards(shards).start();
        let client = &mut server.connect();
        assert_eq!(
            client.ask("POST", "/api/users", Some(r#"{"name":"a","email":"a@example.com"}"#)).status,
            201
        );
        let writes =
            [("POST", "/api/users"), ("POST", "/api/user"), ("PUT", "/api/user/1"), ("PATCH", "/api/user/1")];
        for (method, target) in writes {
            for body in [
                "",
                "{",
                "{\"name\":}",
                "{}{}",
                "{'name':'x'}",
                "{\"name\":\"x\",}",
                "nul",
                "{\"name\":\"\n\"}",
                "{\"a\":01}",
            ] {
                eprintln!("{method} {target} {body:?}");
                let answer = client.ask(method, target, Some(body));
                let json = answer.json();
                assert_eq!((answer.status, &json["error"]), (400, &"Invalid JSON".into()), "{answer:?}");
                assert!(json["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{answer:?}");
                let keys: Vec<_> = json.as_object().expect("an object").keys().collect();
                assert_eq!(keys, ["error", "detail"]);
                assert!(!answer.closes());
            }
            client.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{{\"name\":\""));
            client.send(b"\xff\"}");
            let answer = client.read();
            assert_eq!((answer.status, &answer.json()["error"]), (400, &"Invalid JSON".into()), "{answer:?}");

            let body = r#"{"name":"x","email":"x@example.com"}"#;
            let type_needed = r#"{"error":"Content-Type must be application/json"}"#;
            let length = format!("Content-Length: {}", body.len());
            let untyped = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n{body}");
            client.send(untyped);
            client.read().is(415, type_needed);
            for other in [
                "text/plain",
                "application/jsonp",
                "application/json-patch+json",
                "application/x-www-form-urlencoded",
                "",
            ] {
                let field = format!("Content-Type: {other}");
                client.ask_with(method, target, &[&field], Some(body)).is(415, type_needed);
            }
        }
        for json in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"utf-8\"",
        ] {
            let field = format!("Content-Type: {json}");
            let answer = client.ask_with("PATCH", "/api/user/1", &[&field], Some("{}"));
            answer.is(200, r#"{"message":"Updated"}"#);
        }
        assert_eq!(client.get("/api/users").json()["total"], 1);
    }
}

#[test]
fn a_connection_too_many_gets_503() {
    let server = Setup::shards(1).set("http.max_connections", "2").start();
    let (mut first, mut second) = (server.connect(), server.connect());
    first.goes_on();
    second.goes_on();
    let mut third = server.connect();
    let refused = third.read();
    refused.is(503, r#"{"error":"Service unavailable"}"#).has("Retry-After", Some("1"));
    assert!(refused.closes() && refused.field("X-Request-Id").is_some(), "{refused:?}");
    third.ends();
    first.goes_on();
    second.vanish();
    server.metrics_when("one connection", |metrics| metrics.value("ringmill_connections") == 1.0);
    server.connect().goes_on();
}
