//! How bodies come: chunked, announced with Expect, unread by those who refuse them.

use crate::client::{Client, request};
use crate::pipelining::ENDPOINTS;
use crate::server::Setup;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

fn chunked(method: &str, target: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: Chunked\r\n\r\n{body}"
    )
}

#[test]
fn chunked_bodies_are_bodies_like_others() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let client = &mut server.connect();
    for (body, expected) in [
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("1\r\na\r\n01\r\nb\r\n0000000000000001\r\nc\r\n00\r\n\r\n", "abc"),
        ("a;x=y ;z=\"0\\\"\"\r\n0123456789\r\n0;x\r\nTrailer: t\r\nAnother: \r\n\r\n", "0123456789"),
        ("3 ;x\r\nabc\r\n0\r\n\r\n", "abc"),
        ("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
    ] {
        eprintln!("{body:?}");
        client.send(chunked("POST", "/echo", body));
        let answer = client.read();
        assert_eq!((answer.status, answer.text().as_str()), (200, expected));
    }
    let person = r#"{"name":"Ada","email":"ada@example.com"}"#;
    let (first, second) = person.split_at(9);
    let body = format!("{:x}\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    client.send(chunked("POST", "/api/users", &body));
    client.read().is(201, r#"{"id":1,"name":"Ada","email":"ada@example.com"}"#);
    client.goes_on();
}

#[test]
fn a_client_that_waits_to_send_its_body_is_told_to_go_on() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let client = &mut server.connect();
    let head = |length: usize| {
        format!("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: {length}\r\n\r\n")
    };
    for _ in 0..3 {
        client.send(head(4));
        client.read_exactly(CONTINUE);
        client.send("body");
        assert_eq!(client.read().text(), "body");
    }
    // Behind requests that are under way it is told when these are answered.
    client.send(request("GET", "/slow?marker=m", &[], None));
    client.send(head(1));
    assert_eq!(client.read().status, 200);
    client.read_exactly(CONTINUE);
    client.send("x");
    assert_eq!(client.read().text(), "x");
    client
        .send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.read_exactly(CONTINUE);
    client.send("1\r\nx\r\n0\r\n\r\n");
    assert_eq!(client.read().text(), "x");
    // So is a read, which could begin beside them.
    client.send(request("GET", "/slow?marker=m", &[], None));
    client.send(head(1).replace("POST", "GET"));
    assert_eq!(client.read().text(), r#"{"marker":"m","n":100000}"#);
    client.read_exactly(CONTINUE);
    client.send("x");
    assert_eq!(client.read().status, 200);
    // Who did not wait for it needs none, and who announces no body waits for none.
    client.send(format!("{}body", head(4)));
    assert_eq!(client.read().text(), "body");
    client.send(head(0));
    assert_eq!(client.read().text(), "");
    // HTTP/1.0 does not know it.
    client.send(
        "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    );
    client.send("body");
    assert_eq!(client.read().text(), "body");
    client.goes_on();
}

#[test]
fn a_body_too_large_is_refused_before_it_is_sent() {
    let server = Setup::shards(1).and(ENDPOINTS).start();
    let client = &mut server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n");
    let answer = client.read();
    answer.is(413, r#"{"error":"Body too large"}"#);
    assert!(answer.closes());
    client.ends();
}

#[test]
fn the_body_of_a_refused_request_is_no_request() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let inner = "DELETE /api/user/1 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(
        server.connect().ask("POST", "/api/users", Some(r#"{"name":"a","email":"a@example.com"}"#)).status,
        201
    );
    for (method, target, status) in [
        ("POST", "/nowhere", 404),
        ("DELETE", "/api/data", 405),
        ("BREW", "/api/data", 501),
        ("GET", "/api/data", 200),
        ("GET", "/api/users", 200),
        ("OPTIONS", "/api/users", 204),
        ("POST", "/api/users", 400),
    ] {
        eprintln!("{method} {target}");
        let sized = request(method, target, &[], Some(inner));
        let chunks = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
        for bytes in [sized, chunked(method, target, &chunks).into_bytes()] {
            let client: &mut Client = &mut server.connect();
            client.send(&bytes);
            let answer = client.read();
            assert_eq!(answer.status, status, "{answer:?}");
            // Either the body was read and the connection goes on, or it ends here.
            if answer.closes() { client.ends() } else { client.goes_on() }
        }
    }
    assert_eq!(server.connect().get("/api/user/1").status, 200);
}
