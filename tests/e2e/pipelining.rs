//! Keep-alive, pipelining and the ways in which a connection ends.

use crate::client::{Client, Expect, request};
use crate::server::{SHARDS, Setup};

/// `echo` gives back a body, `slow` takes a while in the database.
pub(crate) const ENDPOINTS: &str = r#"
[endpoints.echo]
path = "/echo"
methods = ["GET", "POST"]
echo = true

[endpoints.slow]
path = "/slow"
params = { marker = { type = "text" }, steps = { type = "integer", default = 100000 } }
sql = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $steps)
SELECT $marker AS marker, count(*) AS n FROM n"""
shape = "row"
columns = { marker = "text", n = "integer" }
"#;

#[test]
fn a_connection_is_used_for_many_requests_and_answers_come_in_order() {
    for shards in SHARDS {
        let server = Setup::shards(shards).and(ENDPOINTS).start();
        let client = &mut server.connect();
        // Constants, reads that take long and reads that do not, writes, refusals: answers to what is quick wait for what
        // is slow, and a read behind a write sees it.
        let mut requests = Vec::new();
        let mut expected: Vec<(u16, String)> = Vec::new();
        let mut add = |bytes: Vec<u8>, status: u16, body: String| {
            requests.extend(bytes);
            expected.push((status, body));
        };
        for number in 1..=10 {
            let person = format!(r#"{{"name":"n{number}","email":"e{number}@example.com"}}"#);
            let row = format!(r#"{{"id":{number},"name":"n{number}","email":"e{number}@example.com"}}"#);
            let item = format!("/api/user/{number}");
            let marker = format!("marker {number}");
            let slow = format!("/slow?marker=m{number}");
            let slow_row = format!(r#"{{"marker":"m{number}","n":100000}}"#);
            add(request("GET", "/api/data", &[], None), 200, r#"{"data":"Your data here"}"#.to_owned());
            add(request("POST", "/api/users", &[], Some(&person)), 201, row.clone());
            add(request("GET", &item, &[], None), 200, row);
            add(request("GET", &slow, &[], None), 200, slow_row);
            add(request("GET", "/nowhere", &[], None), 404, r#"{"error":"Not found"}"#.to_owned());
            add(request("POST", "/echo", &[], Some(&marker)), 200, marker.clone());
            add(
                request("PATCH", &item, &[], Some(r#"{"name":"x"}"#)),
                200,
                r#"{"message":"Updated"}"#.to_owned(),
            );
            let row = format!(r#"{{"id":{number},"name":"x","email":"e{number}@example.com"}}"#);
            add(request("GET", &item, &[], None), 200, row);
            add(request("POST", "/api/users", &[], Some("{")), 400, String::new());
            add(request("GET", "/health", &[], None), 200, r#"{"status":"healthy"}"#.to_owned());
        }
        assert_eq!(expected.len(), 100);
        client.send(&requests);
        for (index, (status, body)) in expected.iter().enumerate() {
            let answer = client.read();
            assert_eq!(answer.status, *status, "answer {index}: {answer:?}");
            if !body.is_empty() {
                assert_eq!(&answer.text(), body, "answer {index}");
            }
            assert_eq!(answer.field("Connection"), None);
        }
        client.goes_on();
    }
}

#[test]
fn a_thousand_requests_in_one_write_are_answered_once_each() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let client = &mut server.connect();
    for target in ["/api/data", "/api/users"] {
        client.send(request("GET", target, &[], None).repeat(1000));
        let first = client.read();
        assert_eq!(first.status, 200);
        for _ in 1..1000 {
            assert_eq!(client.read().body, first.body);
        }
        client.goes_on();
    }
}

#[test]
fn answers_wait_for_a_client_that_reads_late() {
    // More than the sockets' buffers and the bound on unsent output hold: parsing pauses and goes on.
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let client = &mut server.connect();
    let marker = |number: usize| format!("{number:08}").repeat(8 * 1024);
    let count = 200;
    let sender = client.second();
    let writer = std::thread::spawn(move || {
        let mut sender: Client = sender;
        for number in 0..count {
            sender.send(request("POST", "/echo", &[], Some(&marker(number))));
        }
    });
    // Another's requests are answered meanwhile.
    server.connect().goes_on();
    for number in 0..count {
        let answer = client.read();
        assert!(answer.text() == marker(number), "answer {number}");
    }
    writer.join().expect("all was sent");
    client.goes_on();
}

#[test]
fn the_last_request_of_a_connection_is_answered_and_the_rest_is_not_looked_at() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    for first in ["/health", "/api/users", "/slow?marker=x"] {
        let client = &mut server.connect();
        let mut bytes = request("GET", first, &[], None);
        bytes.extend(request("GET", "/api/users", &["connection: x, Close"], None));
        bytes.extend(request("POST", "/api/users", &[], Some(r#"{"name":"x","email":"x@example.com"}"#)));
        bytes.extend(b"no request at all\r\n\r\n");
        client.send(&bytes);
        assert!(!client.read().closes());
        assert!(client.read().closes());
        client.ends();
    }
    assert_eq!(server.connect().get("/api/users").json()["total"], 0);
    // A write that closes is done all the same.
    let client = &mut server.connect();
    let body = Some(r#"{"name":"x","email":"x@example.com"}"#);
    let created = client.ask_with("POST", "/api/users", &["Connection: close"], body);
    assert!(created.status == 201 && created.closes(), "{created:?}");
    client.ends();
    assert_eq!(server.connect().get("/api/users").json()["total"], 1);
}

#[test]
fn a_connection_has_no_more_requests_than_the_file_allows() {
    let server = Setup::shards(1).set("http.max_requests", "3").start();
    let client = &mut server.connect();
    client.send(request("GET", "/health", &[], None).repeat(5));
    assert!(!client.read().closes());
    assert!(!client.read().closes());
    assert!(client.read().closes());
    client.ends();
}

#[test]
fn http_1_0_closes_unless_it_is_asked_to_stay() {
    let server = Setup::shards(2).start();
    for target in ["/api/data", "/api/users"] {
        let plain = format!("GET {target} HTTP/1.0\r\n\r\n");
        let client = &mut server.connect();
        client.send(&plain);
        let answer = client.read();
        assert_eq!(answer.line, "HTTP/1.1 200 OK");
        assert!(answer.closes());
        client.ends();

        let client = &mut server.connect();
        let staying = format!("GET {target} HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
        for _ in 0..3 {
            client.send(&staying);
            let answer = client.read();
            assert_eq!(answer.status, 200);
            assert!(answer.field("Connection").is_some_and(|value| value.eq_ignore_ascii_case("keep-alive")));
        }
        client.send(format!("{staying}{staying}{plain}"));
        assert!(!client.read().closes());
        assert!(!client.read().closes());
        assert!(client.read().closes());
        client.ends();
    }
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    for target in ["/api/data", "/api/users", "/slow?marker=m", "/metrics"] {
        for count in [1, 3] {
            let client = &mut server.connect();
            client.send(request("GET", target, &[], None).repeat(count));
            client.end_sending();
            for _ in 0..count {
                assert_eq!(client.read_as(Expect::Body).status, 200, "{target}");
            }
            client.ends();
        }
    }
    // A write too, and one behind a read.
    let client = &mut server.connect();
    let mut bytes = request("GET", "/slow?marker=m", &[], None);
    bytes.extend(request("POST", "/api/users", &[], Some(r#"{"name":"x","email":"x@example.com"}"#)));
    bytes.extend(request("GET", "/api/user/1", &[], None));
    client.send(&bytes);
    client.end_sending();
    assert_eq!([client.read().status, client.read().status, client.read().status], [200, 201, 200]);
    client.ends();
    // Half a request is none.
    for half in
        ["GET /health HTTP/1.1\r\nHo", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"]
    {
        let client = &mut server.connect();
        client.send(request("GET", "/health", &[], None));
        client.send(half);
        client.end_sending();
        client.read().is(200, r#"{"status":"healthy"}"#);
        client.ends();
    }
}
