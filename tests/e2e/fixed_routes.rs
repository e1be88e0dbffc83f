//! Routes that ask no database: health, readiness, metrics, constants, echoes; and HEAD and OPTIONS of all routes.

use crate::client::{Client, Expect, request};
use crate::server::{SHARDS, Setup};

const ECHO: &str = r#"
[endpoints.echo]
path = "/echo"
methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
echo = true
"#;

#[test]
fn constants_are_what_the_contract_says() {
    for shards in SHARDS {
        let server = Setup::shards(shards).start();
        let round = &mut server.round();
        for _ in 0..2 {
            for (target, body) in [
                ("/health", r#"{"status":"healthy"}"#),
                ("/ready", r#"{"status":"ready"}"#),
                ("/api/data", r#"{"data":"Your data here"}"#),
                ("/api/heavy-operation", r#"{"result":"Done"}"#),
            ] {
                let answer = round.get(target);
                answer.is(200, body).has("Cache-Control", Some("no-store"));
                assert_eq!(answer.line, "HTTP/1.1 200 OK");
            }
        }
        let metrics = round.get("/metrics");
        assert_eq!(metrics.status, 200);
        metrics.has("Content-Type", Some("text/plain; version=0.0.4; charset=utf-8"));
        assert!(metrics.text().contains("# TYPE http_requests_total counter\n"), "{}", metrics.text());
    }
}

#[test]
fn metrics_are_public_only_where_the_file_says() {
    let server = Setup::shards(1).set("server.metrics_path", "/internal/metrics").start();
    server.connect().get("/metrics").is(404, r#"{"error":"Not found"}"#);
    assert_eq!(server.connect().get("/internal/metrics").status, 200);
    let server = Setup::shards(1).set("server.metrics_path", "\"\"").start();
    server.connect().get("/metrics").is(404, r#"{"error":"Not found"}"#);
}

#[test]
fn an_echo_gives_back_fields_or_body() {
    let server = Setup::shards(2).and(ECHO).start();
    let client = &mut server.connect();
    client.send("GET /echo HTTP/1.1\r\nHost: a\r\nX-One:  1 \r\nx-ONE: 2\r\n\r\n");
    let answer = client.read();
    assert_eq!((answer.status, answer.text().as_str()), (200, "Host: a\nX-One: 1\nx-ONE: 2\n"));
    answer.has("Content-Type", Some("text/plain"));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for body in ["", "{\"a\":1}", "\u{1f600}\0\r\n\r\nGET / HTTP/1.1\r\n\r\n"] {
            let answer = client.ask_with(method, "/echo", &["Content-Type: text/x-test; a=b"], Some(body));
            assert_eq!((answer.status, answer.text().as_str()), (200, body), "{method}");
            answer.has("Content-Type", Some("text/x-test; a=b"));
        }
    }
    let large = "0123456789abcdef".repeat(60_000);
    let answer = client.ask("POST", "/echo", Some(&large));
    assert!(answer.status == 200 && answer.text() == large, "{} bytes came back", answer.body.len());
    client.goes_on();
}

/// Each path of the built-in file with what it allows.
const ROUTES: [(&str, &str); 9] = [
    ("/health", "GET, HEAD, OPTIONS"),
    ("/ready", "GET, HEAD, OPTIONS"),
    ("/metrics", "GET, HEAD, OPTIONS"),
    ("/api/users", "GET, HEAD, POST, OPTIONS"),
    ("/api/user", "POST, OPTIONS"),
    ("/api/user/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
    ("/api/posts", "GET, HEAD, OPTIONS"),
    ("/api/data", "GET, HEAD, OPTIONS"),
    ("/api/heavy-operation", "GET, HEAD, OPTIONS"),
];

#[test]
fn what_a_route_does_not_allow_is_405_and_options_say_what_it_does() {
    for shards in SHARDS {
        let server = Setup::shards(shards).start();
        let round = &mut server.round();
        for (path, allow) in ROUTES {
            let options = round.ask("OPTIONS", path, None);
            assert_eq!(options.line, "HTTP/1.1 204 No Content");
            options.is(204, "").has("Allow", Some(allow)).has("Content-Type", None);
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"] {
                if allow.split(", ").any(|allowed| allowed == method) || method == "CONNECT" {
                    continue;
                }
                eprintln!("{method} {path}");
                let answer = round.ask(method, path, None);
                answer.has("Allow", Some(allow));
                let body = if method == "HEAD" { "" } else { r#"{"error":"Method not allowed"}"# };
                assert_eq!((answer.status, answer.text().as_str()), (405, body));
            }
            // Methods are case-sensitive, and who knows none of that name knows no route for it either.
            for method in ["BREW", "get", "PROPFIND"] {
                round.ask(method, path, None).is(501, r#"{"error":"Not implemented"}"#);
            }
            round.next().goes_on();
        }
        round.ask("BREW", "/nowhere", None).is(501, r#"{"error":"Not implemented"}"#);
        for method in ["GET", "POST", "DELETE"] {
            round.ask(method, "/nowhere", None).is(404, r#"{"error":"Not found"}"#);
        }
        let connect = round.next();
        connect.send("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
        connect.read().is(405, r#"{"error":"Method not allowed"}"#);
    }
}

#[test]
fn head_is_get_without_the_body() {
    let server = Setup::shards(2).and(ECHO).start();
    let client = &mut server.connect();
    let body = r#"{"name":"Ada","email":"ada@example.com"}"#;
    assert_eq!(client.ask("POST", "/api/users", Some(body)).status, 201);
    let targets = [
        "/health",
        "/ready",
        "/api/users",
        "/api/user/1",
        "/api/user/2",
        "/api/posts",
        "/api/data",
        "/echo",
        "/nowhere",
    ];
    for target in targets {
        let (get, head) = (client.ask("GET", target, None), client.ask("HEAD", target, None));
        assert!(!get.body.is_empty(), "{target}");
        assert_eq!(lasting(&get), lasting(&head), "{target}");
        // Whatever followed the head would be taken for the next answer.
        client.goes_on();
    }
    // Behind one another, each of them without a body.
    let requests: Vec<u8> = targets.iter().flat_map(|target| request("HEAD", target, &[], None)).collect();
    client.send(requests);
    for target in targets {
        let head = client.read_as(Expect::HeadOnly);
        assert_eq!(
            head.status,
            if matches!(target, "/api/user/2" | "/nowhere") { 404 } else { 200 },
            "{target}"
        );
    }
    client.goes_on();
}

/// Line and fields; the second that a date names is not what GET and HEAD share.
/// All that two answers to one question have in common.
fn lasting(response: &crate::client::Response) -> (&str, Vec<&(String, String)>) {
    (
        &response.line,
        response
            .fields
            .iter()
            .filter(|(name, _)| !["Date", "X-Cache", "Age"].contains(&name.as_str()))
            .collect(),
    )
}

#[test]
fn options_of_the_server_as_a_whole_are_answered() {
    let server = Setup::shards(1).start();
    let client: &mut Client = &mut server.connect();
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.read();
    assert!(answer.status < 500, "{answer:?}");
    client.goes_on();
}
